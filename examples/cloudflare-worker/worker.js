// An edge worker with a database in its isolate's memory: a cache that knows what was, for as long as the isolate lives.
//
//   PUT  /room/kitchen {"celsius": 21}      writes a version
//   GET  /room/kitchen                      the newest, or ?at=2026-03-29T13:37:00Z: as of then
//   GET  /room/kitchen/history              all of them, newest first
import { Anabranch, AnabranchError } from "anabranch";

/** Opened by the first request: where nothing is asked yet, an isolate may take neither time nor random numbers. @type {Promise<Anabranch> | undefined} */
let opening;

export default {
  /** @param {Request} request */
  async fetch(request) {
    const db = await (opening ??= Anabranch.open());
    const { pathname, searchParams } = new URL(request.url);
    const [, namespace, key, history] = pathname.split("/").map(decodeURIComponent);
    try {
      if (request.method === "PUT") return Response.json(await db.put(namespace, key, await request.json()), { status: 201 });
      if (history === "history") return Response.json(await db.history(namespace, key));
      const at = searchParams.get("at");
      return Response.json(at === null ? await db.get(namespace, key) : await db.getVersionAt(namespace, key, at));
    } catch (error) {
      const { code, message } = error instanceof AnabranchError ? error : { code: "FAILED", message: String(error) };
      return Response.json({ code, message }, { status: code === "KEY_NOT_FOUND" || code === "NO_VALUE_AT" ? 404 : 400 });
    }
  },
};
