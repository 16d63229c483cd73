// What is run where a connection cannot be had.
import { refused } from "./links.mjs";
import { load } from "./load.mjs";

export default async ({ web, url }) => refused(await load(web), url);
