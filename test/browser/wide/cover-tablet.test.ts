import { cover } from "./cover.js";

cover(768);
