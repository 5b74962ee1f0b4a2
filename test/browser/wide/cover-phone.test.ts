import { cover } from "./cover.js";

cover(360);
