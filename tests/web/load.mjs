// Loads what this crate was glued to, as Node or a browser has it.

export async function load(web) {
  const module = await import(web);
  if (typeof module.default !== "function") return module.default;
  await module.default({ module_or_path: web.replace(/\.js(\?.*)?$/, "_bg.wasm") });
  return module;
}
