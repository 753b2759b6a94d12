/** What assembly makes of wasm-bindgen's output: `glue.js` stands beside the facade only in the assembled package. */
declare module "*/glue.js" {
  export const instantiate: import("../../../pkg-template/instance.js").Instantiate;
}
