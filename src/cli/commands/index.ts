import type { Command } from "../command.js";
import { measure } from "./measure.js";

export const commands: readonly Command[] = [measure];
