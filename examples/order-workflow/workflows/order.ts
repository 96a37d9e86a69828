// The definition that `murmur up` in this folder loads.
export { default } from "../workflow.ts";
