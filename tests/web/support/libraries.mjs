// For `node --import`: modules of the page import its libraries by name, and get those of vendor/.
import { register } from "node:module";

register("./resolve.mjs", import.meta.url);
