/** @module-tag wide */
import { cover } from "./cover.js";

cover(360);
