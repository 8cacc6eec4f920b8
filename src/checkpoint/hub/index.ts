export { type CachedModel, cachedModels, isHubName } from './cache.js';
export { checkRepoName, pushModel } from './push.js';
export { type DownloadProgress, resolveModel, type ResolveOptions } from './resolve.js';
export { type HubSettings, hubSettings } from './settings.js';
export { type FolderUpload, folderUpload, refuseSecretText, type UploadFile } from './upload-files.js';
