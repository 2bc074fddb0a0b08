import type { Command } from "../command.js";
import { inspect } from "./inspect.js";
import { measure } from "./measure.js";

export const commands: readonly Command[] = [inspect, measure];
