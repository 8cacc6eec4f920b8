/** @module ONNX Runtime with its telemetry off: nothing that is judged or trained here is reported anywhere. */

// ONNX Runtime 1.30 for Linux sends usage events to its maker, and logs in the temporary folder, unless this is set
// before the first session. Who wants that sets the variable to 0.
process.env.ORT_DISABLE_TELEMETRY ??= '1';

export { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
