// A directory of Node's file system, as the engine asks for it; and the lease that says who has it.
//
// Node's `fs` knows no locks, so whoever has a database open keeps a file `LEASE` in its directory, made by nobody else, and touches it
// every two seconds. A lease that nobody has touched for ten is one of a process that is gone; so is, at once, one of a process of this
// machine that is not there any more. The native store keeps the same file.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { AnabranchError } from "./errors.js";

const DATABASE = "store.redb";
const SPARE = "store.redb.new";
const LEASE = "LEASE";
/** How old a lease is at most, in milliseconds, while its owner lives. */
const LAPSES = 10_000;
const RENEWED_EVERY = 2_000;

/** The directory of a database, which this process has while the lease is its own. */
export class Files {
  #directory;
  #lease;
  #token = `node ${os.hostname()} ${process.pid} ${crypto.randomUUID()}\n`;
  #timer;
  #leaving = () => this.leave();
  #renewed = 0;

  /** Makes the directory if there is none, and takes its lease: `IN_USE` where somebody has it. */
  constructor(directory) {
    this.#directory = path.resolve(directory);
    this.#lease = path.join(this.#directory, LEASE);
    fs.mkdirSync(this.#directory, { recursive: true });
    this.#take();
    this.#timer = setInterval(() => this.#renew(), RENEWED_EVERY);
    // It keeps no process from ending; and one that ends in order leaves no lease behind.
    this.#timer.unref();
    process.once("exit", this.#leaving);
  }

  #take() {
    for (;;) {
      try {
        fs.writeFileSync(this.#lease, this.#token, { flag: "wx" });
        this.#renewed = Date.now();
        return;
      } catch (error) {
        if (error.code !== "EEXIST") throw error;
      }
      const age = this.#age();
      if (age === null) continue;
      if (age < LAPSES && !this.#isOrphaned()) {
        throw new AnabranchError("IN_USE", `the database in ${this.#directory} is in use by another process: talk to that one, or end it`);
      }
      // Of several who find it lapsed one alone moves it away.
      const away = `${this.#lease}.${process.pid}`;
      try {
        fs.renameSync(this.#lease, away);
        fs.unlinkSync(away);
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
    }
  }

  /** Whether the lease is of a process of this machine that is gone. */
  #isOrphaned() {
    let pid;
    try {
      const [kind, host, its] = fs.readFileSync(this.#lease, "utf8").split(" ");
      if (kind !== "node" || host !== os.hostname()) return false;
      pid = Number(its);
    } catch {
      return false;
    }
    if (!Number.isSafeInteger(pid) || pid <= 0) return false;
    try {
      process.kill(pid, 0);
      return false;
    } catch (error) {
      return error.code === "ESRCH";
    }
  }

  /** How long ago the lease was touched; null where there is none. */
  #age() {
    try {
      return Date.now() - fs.statSync(this.#lease).mtimeMs;
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
    }
  }

  #renew() {
    const now = new Date();
    fs.utimesSync(this.#lease, now, now);
    this.#renewed = now.getTime();
  }

  /** Before each write: a process that slept for long may have lost its lease, and must not write then. */
  #check() {
    if (Date.now() - this.#renewed < RENEWED_EVERY) return;
    let token;
    try {
      token = fs.readFileSync(this.#lease, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    if (token !== this.#token) {
      throw new Error("another process has taken the database's directory over, because this one did not answer for ten seconds");
    }
    this.#renew();
  }

  open() {
    try {
      return fs.openSync(path.join(this.#directory, DATABASE), "r+");
    } catch (error) {
      if (error.code === "ENOENT") return -1;
      throw error;
    }
  }

  spare() {
    this.#check();
    return fs.openSync(path.join(this.#directory, SPARE), "w+");
  }

  publish() {
    this.#check();
    fs.renameSync(path.join(this.#directory, SPARE), path.join(this.#directory, DATABASE));
    // The name, too, has to survive; not every system has directories that can be synced.
    if (process.platform === "win32") return;
    const directory = fs.openSync(this.#directory, "r");
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
  }

  size(file) {
    return fs.fstatSync(file).size;
  }

  taken(file) {
    const { blocks, size } = fs.fstatSync(file);
    return process.platform === "win32" ? size : blocks * 512;
  }

  read(file, into, at) {
    return fs.readSync(file, into, 0, into.length, at);
  }

  write(file, bytes, at) {
    this.#check();
    return fs.writeSync(file, bytes, 0, bytes.length, at);
  }

  truncate(file, size) {
    this.#check();
    fs.ftruncateSync(file, size);
  }

  sync(file) {
    fs.fdatasyncSync(file);
  }

  close(file) {
    fs.closeSync(file);
  }

  /** Gives the lease back, if it is still this one's. */
  leave() {
    clearInterval(this.#timer);
    process.removeListener("exit", this.#leaving);
    try {
      if (fs.readFileSync(this.#lease, "utf8") === this.#token) fs.unlinkSync(this.#lease);
    } catch {
      // It lapses by itself.
    }
  }
}
