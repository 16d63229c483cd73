// What is run where a connection over TLS can be had.
import { load } from "./load.mjs";

export default async ({ web, url }) => {
  const { House } = await load(web);
  const house = await House.open(url, "secured");
  await house.online();
  return await house.close();
};
