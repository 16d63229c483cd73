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
/** What the system says, where there is a code for it. */
const CODES = { ENOSPC: "STORAGE_FULL", EDQUOT: "STORAGE_FULL", ERR_INVALID_ARG_VALUE: "INVALID_ARGUMENT" };

/** What nobody else says, in this moment: Node takes as long to load its own for that as to load the engine. */
const unique = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** Those of this process: each is left when it ends. */
const held = new Set();

function leaveAll() {
  for (const files of [...held]) files.leave();
}

/** The directory of a database, which this process has while the lease is its own. */
export class Files {
  #directory;
  #lease;
  #token = `node ${os.hostname()} ${process.pid} ${unique()}\n`;
  #timer;
  #renewed = 0;
  #opened = new Set();

  /** Makes the directory if there is none, and takes its lease: `IN_USE` where somebody has it. */
  constructor(directory) {
    this.#directory = path.resolve(directory);
    this.#lease = path.join(this.#directory, LEASE);
    try {
      fs.mkdirSync(this.#directory, { recursive: true });
      this.#take();
    } catch (error) {
      if (error instanceof AnabranchError) throw error;
      throw new AnabranchError(CODES[error.code] ?? "STORAGE_FAILED", `the directory ${this.#directory} could not be taken: ${error.message}`);
    }
    // What fails here is told by the next write, which looks again.
    this.#timer = setInterval(() => this.#renew(), RENEWED_EVERY);
    // It keeps no process from ending; and one that ends in order leaves no lease behind.
    this.#timer.unref();
    if (held.size === 0) process.on("exit", leaveAll);
    held.add(this);
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
      const its = this.#read();
      const age = this.#age();
      if (its === null || age === null) continue;
      // One of the future is of a clock that was set.
      if (Math.abs(age) < LAPSES && !isOrphaned(its)) {
        throw new AnabranchError("IN_USE", `the database in ${this.#directory} is in use by another process: talk to that one, or end it`);
      }
      this.#remove(its);
    }
  }

  /** Takes a lapsed lease away; should it be another one by now, which was taken since it was read, that one is put back. */
  #remove(lapsed) {
    const away = `${this.#lease}.${unique()}`;
    try {
      fs.renameSync(this.#lease, away);
    } catch (error) {
      if (error.code === "ENOENT") return;
      throw error;
    }
    try {
      if (fs.readFileSync(away, "utf8") !== lapsed) fs.linkSync(away, this.#lease);
    } catch (error) {
      // Whoever has lost it finds out before it writes.
      if (error.code !== "EEXIST") throw error;
    } finally {
      fs.unlinkSync(away);
    }
  }

  /** What the lease says; null where there is none. */
  #read() {
    try {
      return fs.readFileSync(this.#lease, "utf8");
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
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

  /** Touches the lease if it is this one's; whether it is. One that another has taken stays as it is. */
  #renew() {
    try {
      if (this.#read() !== this.#token) return false;
      const now = new Date();
      fs.utimesSync(this.#lease, now, now);
      this.#renewed = now.getTime();
      return true;
    } catch {
      return false;
    }
  }

  /** Before each write: a process that slept for long may have lost its lease, and must not write then. */
  #check() {
    if (Math.abs(Date.now() - this.#renewed) < RENEWED_EVERY || this.#renew()) return;
    throw new Error("the lease of the database's directory is another's, or is gone: this process did not answer for ten seconds");
  }

  open() {
    try {
      return this.#open(DATABASE, "r+");
    } catch (error) {
      if (error.code === "ENOENT") return -1;
      throw error;
    }
  }

  spare() {
    this.#check();
    return this.#open(SPARE, "w+");
  }

  #open(name, how) {
    const file = fs.openSync(path.join(this.#directory, name), how);
    this.#opened.add(file);
    return file;
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
    this.#opened.delete(file);
    fs.closeSync(file);
  }

  /** Lets go of everything: for an engine that cannot. */
  abandon() {
    for (const file of [...this.#opened]) this.close(file);
    this.leave();
  }

  /** Gives the lease back, if it is still this one's. */
  leave() {
    clearInterval(this.#timer);
    held.delete(this);
    if (held.size === 0) process.removeListener("exit", leaveAll);
    try {
      if (fs.readFileSync(this.#lease, "utf8") === this.#token) fs.unlinkSync(this.#lease);
    } catch {
      // It lapses by itself.
    }
  }
}

/** Whether a lease is of a process of this machine that is gone. */
function isOrphaned(lease) {
  const [kind, host, its] = lease.split(" ");
  const pid = Number(its);
  if (kind !== "node" || host !== os.hostname() || !Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}
