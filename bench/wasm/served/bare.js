// No database: a worker that opens two private files, writes a block to each and flushes them. What is kept in such files takes so long
// to open whatever it is.

import { serve } from "./behind.js";

const FILES = ["one", "other"];

serve(async ({ name }) => {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(`bare-${name}`, { create: true });
  const opened = FILES.map(async (file) => (await directory.getFileHandle(file, { create: true })).createSyncAccessHandle());
  const handles = await Promise.all(opened);
  const block = new Uint8Array(4096);
  for (const handle of handles) {
    handle.write(block, { at: 0 });
    handle.flush();
  }
  return {
    touch: () => handles[0].read(block, { at: 0 }),
    close: () => handles.forEach((handle) => handle.close()),
  };
});
