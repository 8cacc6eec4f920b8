import { AutoProcessor, process_vision_info, Qwen2_5_VLForConditionalGeneration } from 'safeguard-vl';

const name = 'safeguard-vl-tiny';
const model = await Qwen2_5_VLForConditionalGeneration.from_pretrained(name, {
  torch_dtype: 'auto',
  device_map: 'auto',
});
const processor = await AutoProcessor.from_pretrained(name);

// The embedded model was trained to read a policy as numbered statements. SafeGuard-VL-RL wants its card's own words:
// `Based on the following safety policy, determine if this image is safe or unsafe.\n\nPolicy:\n…`
const policy = ' [1] "No weapons."\n [2] "Any other sensitive subject is allowed."';
const messages = [
  {
    role: 'user',
    content: [
      { type: 'image', image: import.meta.resolve('safeguard-vl/examples/museum-knife.png') },
      { type: 'text', text: policy },
    ],
  },
];

const text = processor.apply_chat_template(messages, { tokenize: false, add_generation_prompt: true });
const [image_inputs, video_inputs] = await process_vision_info(messages);
const inputs = (
  await processor({
    text: [text],
    images: image_inputs,
    videos: video_inputs,
    padding: true,
    return_tensors: 'pt',
  })
).to(model.device);

const generated_ids = await model.generate({ ...inputs, max_new_tokens: 512 });
const generated_ids_trimmed = generated_ids.map((out_ids, i) => out_ids.slice(inputs.input_ids[i].length));
const output_text = processor.batch_decode(generated_ids_trimmed, {
  skip_special_tokens: true,
  clean_up_tokenization_spaces: false,
});
console.log(output_text[0]);
