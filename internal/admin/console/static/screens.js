// The table of screens. A screen is a value:
//
//	menu, inMenu     its word in the menu; under: the screen that the menu marks instead
//	title(q, data)   its heading
//	load(q, ctx)     returns the answer of api.get for the address q
//	subject(q)       what the screen is about: with another one it begins anew, without the data of the one before
//	asOf(ctx)        {at, instance}: the time of what is shown, unless it is that of the answer
//	cached           the bridge answers from its cache, also without NATS
//	refresh          milliseconds between two answers; 0: once
//	answer(q, data)  the answer to its question, in a sentence
//	render(q, data, ctx)
//	command(q, data) the command that gives the same
//	badge(status)    what the menu shows beside it: {text, level}
//	open(ctx)        is called when it is opened; ctx.signal ends when it is left

import { evidence } from "./screens/evidence.js";
import { live } from "./screens/live.js";
import { notify } from "./screens/notify.js";
import { now } from "./screens/now.js";
import { proof } from "./screens/proof.js";
import { resource } from "./screens/resource.js";
import { resources } from "./screens/resources.js";
import { setup } from "./screens/setup.js";
import { stuck } from "./screens/stuck.js";
import { unapplied } from "./screens/unapplied.js";
import { webhooks } from "./screens/webhooks.js";

// In the order of the menu.
export const screens = { now, resources, resource, live, stuck, webhooks, notify, unapplied, proof, evidence, setup };
