//! Where there is no file system: all tables in memory, and what changes kept in IndexedDB.
//!
//! ```text
//!  commit ──▶ Memory, which views see
//!     └─────▶ queue ──next microtask──▶ one transaction of all that waits ──▶ the object store `rows`
//!
//!  key: table 1, key        value: row        key 255 alone: the format
//! ```
//!
//! What is committed in one go is written in one go, by itself: nobody has to ask for it.
//!
//! **The contract:** what was committed before [`flushed`](IndexedDb::flushed) was called is kept when that has returned. When
//! it fails, the memory has what is not kept, so from then on everything fails, until the database is opened anew.

use crate::host::{failed, text};
use anabranch_store::{Backend, BackendError, Batch, Durability, Memory, MemoryView, Table, Usage, View};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use slab::Slab;
use std::{
    cell::RefCell,
    mem::{replace, take},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["globalThis", "indexedDB"], js_name = open)]
    fn open_database(name: &str, version: u32) -> Result<Request, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["globalThis", "IDBKeyRange"], js_name = lowerBound)]
    fn lower_bound(key: &JsValue, is_open: bool) -> Result<JsValue, JsValue>;

    #[derive(Debug, Clone)]
    type Request;

    #[wasm_bindgen(method, getter)]
    fn result(this: &Request) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn error(this: &Request) -> JsValue;

    #[wasm_bindgen(method, setter)]
    fn set_onsuccess(this: &Request, call: &Function);

    #[wasm_bindgen(method, setter)]
    fn set_onerror(this: &Request, call: &Function);

    #[wasm_bindgen(method, setter)]
    fn set_onupgradeneeded(this: &Request, call: &Function);

    #[derive(Debug, Clone)]
    type Database;

    #[wasm_bindgen(method, catch, js_name = createObjectStore)]
    fn create_store(this: &Database, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Database, store: &str, mode: &str, options: &Object) -> Result<Transaction, JsValue>;

    #[wasm_bindgen(method)]
    fn close(this: &Database);

    #[wasm_bindgen(method, setter)]
    fn set_onversionchange(this: &Database, call: &Function);

    type Transaction;

    #[wasm_bindgen(method, catch, js_name = objectStore)]
    fn store(this: &Transaction, name: &str) -> Result<Rows, JsValue>;

    #[wasm_bindgen(method, getter, js_name = error)]
    fn failure(this: &Transaction) -> JsValue;

    #[wasm_bindgen(method, setter)]
    fn set_oncomplete(this: &Transaction, call: &Function);

    #[wasm_bindgen(method, setter)]
    fn set_onabort(this: &Transaction, call: &Function);

    #[wasm_bindgen(method, catch)]
    fn abort(this: &Transaction) -> Result<(), JsValue>;

    type Rows;

    #[wasm_bindgen(method, catch)]
    fn put(this: &Rows, row: &Uint8Array, key: &Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn delete(this: &Rows, key: &Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getAllKeys)]
    fn all_keys(this: &Rows, range: &JsValue, most: u32) -> Result<Request, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getAll)]
    fn all_rows(this: &Rows, range: &JsValue, most: u32) -> Result<Request, JsValue>;
}

/// The one object store.
const ROWS: &str = "rows";
/// The key of the format, behind all rows.
const FORMAT_KEY: [u8; 1] = [255];
/// The format that is written, and the latest that is read.
const FORMAT: u32 = 1;
/// How many rows are read at once.
const AT_ONCE: u32 = 4096;

/// What the host gave out for a database.
#[derive(Debug)]
struct Opened {
    database: Database,
    /// The transaction that is on its way.
    on_its_way: Option<Promise>,
}

thread_local! {
    /// The databases of this thread, by numbers: what the host gives out cannot leave it.
    static OPENED: RefCell<Slab<Opened>> = const { RefCell::new(Slab::new()) };
}

/// The tables in memory, kept in IndexedDB: for browsers without files in workers, and for pages that have no worker.
///
/// It is loaded whole when it is opened, and so takes as much memory. IndexedDB lets several open one database, and each would
/// write over what the others have written: whoever opens it holds a lock of its own about it.
#[derive(Debug)]
pub struct IndexedDb {
    memory: Memory,
    queue: Arc<Mutex<Queue>>,
    opened: usize,
}

#[derive(Debug, Default)]
struct Queue {
    batches: Vec<Batch>,
    /// Whether one of them is to be on stable storage.
    strict: bool,
    /// How many were ever queued, and how many of those are kept.
    queued: u64,
    kept: u64,
    failed: Option<BackendError>,
    /// Whether somebody will send what waits.
    is_awaited: bool,
}

impl Queue {
    fn check(&self) -> Result<(), BackendError> {
        match &self.failed {
            Some(error) => Err(BackendError::Poisoned(error.to_string())),
            None => Ok(()),
        }
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IndexedDb {
    /// Opens the database of a name and loads it, or makes one.
    ///
    /// # Errors
    /// [`BackendError`]: [`Io`](BackendError::Io) where there is no IndexedDB, as in some private windows;
    /// [`Newer`](BackendError::Newer), [`NotADatabase`](BackendError::NotADatabase), [`Full`](BackendError::Full).
    pub async fn open(name: &str) -> Result<Self, BackendError> {
        let database =
            open(&["anabranch/", name].concat()).await.map_err(|exception| match &*text(&exception, "name") {
                "VersionError" => BackendError::Newer { found: FORMAT + 1, known: FORMAT },
                _ => failed(&exception),
            })?;
        let opened = OPENED.with_borrow_mut(|all| all.insert(Opened { database: database.clone(), on_its_way: None }));
        // From here on dropping it closes the database.
        let backend = IndexedDb { memory: Memory::new(), queue: Arc::default(), opened };
        let format = backend.load(&database).await?;
        match format {
            Some(FORMAT) => {}
            Some(found) => return Err(BackendError::Newer { found, known: FORMAT }),
            None => {
                let transaction = begin(&database, "readwrite", true).map_err(|exception| failed(&exception))?;
                let put = transaction
                    .store(ROWS)
                    .and_then(|rows| rows.put(&bytes(&FORMAT.to_be_bytes()), &bytes(&FORMAT_KEY)));
                put.map_err(|exception| failed(&exception))?;
                ended(&transaction).await?;
            }
        }
        Ok(backend)
    }

    /// Reads all rows into memory, and gives the format; none in a new database.
    async fn load(&self, database: &Database) -> Result<Option<u32>, BackendError> {
        let rows = begin(database, "readonly", false).and_then(|transaction| transaction.store(ROWS));
        let rows = rows.map_err(|exception| failed(&exception))?;
        let (mut range, mut format, mut batch) = (JsValue::UNDEFINED, None, Batch::new());
        loop {
            let page = async {
                let keys = rows.all_keys(&range, AT_ONCE)?;
                let rows = rows.all_rows(&range, AT_ONCE)?;
                Ok((answer(&keys).await?, answer(&rows).await?))
            };
            let (keys, rows) = page.await.map_err(|exception: JsValue| failed(&exception))?;
            let (keys, rows): (Array, Array) = (keys.unchecked_into(), rows.unchecked_into());
            batch.clear();
            for (key, row) in keys.iter().zip(rows.iter()) {
                let (key, row) = (Uint8Array::new(&key).to_vec(), Uint8Array::new(&row).to_vec());
                match key.as_slice() {
                    key if key == FORMAT_KEY => format = row.try_into().ok().map(u32::from_be_bytes),
                    [table, key @ ..] => match Table::ALL.get(usize::from(*table)) {
                        Some(table) => batch.put(*table, key, &row),
                        None => return Err(BackendError::NotADatabase("it has a table that no database has".into())),
                    },
                    [] => return Err(BackendError::NotADatabase("it has a row without a table".into())),
                }
            }
            self.memory.commit(&batch, Durability::Relaxed)?;
            if keys.length() < AT_ONCE {
                break;
            }
            range = lower_bound(&keys.get(keys.length() - 1), true).map_err(|exception| failed(&exception))?;
        }
        let view = self.memory.view()?;
        let is_new = Table::ALL.into_iter().all(|table| view.count(table) == Ok(0));
        match format {
            None if !is_new => Err(BackendError::NotADatabase("it does not say its format".into())),
            format => Ok(format),
        }
    }

    /// Returns when all that was committed before is kept: on stable storage, if one of it was [`Durability::Immediate`]. What
    /// is queued goes into one transaction; while one is on its way, the next waits and gathers.
    ///
    /// # Errors
    /// [`BackendError`]: [`Full`](BackendError::Full) or [`Io`](BackendError::Io), also for all who wait later; views and commits
    /// are [`Poisoned`](BackendError::Poisoned) then. What reads the tables has to be dropped, too, for it may remember what is
    /// not kept; open it anew.
    pub async fn flushed(&self) -> Result<(), BackendError> {
        flush(&self.queue, self.opened).await
    }
}

async fn flush(queue: &Arc<Mutex<Queue>>, opened: usize) -> Result<(), BackendError> {
    let wanted = locked(queue).queued;
    loop {
        {
            let queue = locked(queue);
            if queue.kept >= wanted {
                return Ok(());
            }
            if let Some(error) = &queue.failed {
                return Err(error.clone());
            }
        }
        let on_its_way = OPENED.with_borrow(|all| all.get(opened).and_then(|opened| opened.on_its_way.clone()));
        let on_its_way = match on_its_way {
            Some(promise) => promise,
            None => send(queue.clone(), opened)?,
        };
        // How it ended stands in the queue.
        let _ = JsFuture::from(on_its_way).await;
    }
}

/// Begins a transaction of all that is queued. It ends whether anybody waits for it or not.
fn send(queue: Arc<Mutex<Queue>>, opened: usize) -> Result<Promise, BackendError> {
    let database = OPENED.with_borrow(|all| all.get(opened).map(|opened| opened.database.clone()));
    let database = database.ok_or_else(|| BackendError::Io("another thread has opened the database".into()))?;
    let (batches, strict, queued) = {
        let mut queue = locked(&queue);
        queue.is_awaited = false;
        (take(&mut queue.batches), take(&mut queue.strict), queue.queued)
    };
    let written = write(&database, &batches, strict);
    let promise = future_to_promise(async move {
        let ended = match written {
            Ok(transaction) => ended(&transaction).await,
            Err(exception) => Err(failed(&exception)),
        };
        {
            let mut queue = locked(&queue);
            match ended {
                Ok(()) => queue.kept = queued,
                Err(error) => queue.failed = Some(error),
            }
        }
        OPENED.with_borrow_mut(|all| {
            if let Some(opened) = all.get_mut(opened) {
                opened.on_its_way = None;
            }
        });
        Ok(JsValue::UNDEFINED)
    });
    OPENED.with_borrow_mut(|all| {
        if let Some(opened) = all.get_mut(opened) {
            opened.on_its_way = Some(promise.clone());
        }
    });
    Ok(promise)
}

impl Backend for IndexedDb {
    type View<'b> = MemoryView;

    fn view(&self) -> Result<MemoryView, BackendError> {
        locked(&self.queue).check()?;
        self.memory.view()
    }

    /// In memory; it is kept soon, and once [`IndexedDb::flushed`] has returned.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        let mut queue = locked(&self.queue);
        queue.check()?;
        self.memory.commit(batch, durability)?;
        queue.strict |= durability == Durability::Immediate;
        queue.queued += 1;
        queue.batches.push(batch.clone());
        if !replace(&mut queue.is_awaited, true) {
            let (queue, opened) = (self.queue.clone(), self.opened);
            // From the next microtask on: what is committed in one go goes as one. Should it fail, whoever comes next is told.
            spawn_local(async move { drop(flush(&queue, opened).await) });
        }
        Ok(())
    }

    /// What it takes on disk, IndexedDB does not say.
    fn usage(&self) -> Result<Usage, BackendError> {
        let queued: usize = locked(&self.queue).batches.iter().map(Batch::size).sum();
        let usage = self.memory.usage()?;
        Ok(Usage { memory: usage.memory + queued as u64, ..usage })
    }

    /// A commit costs nothing that several could share; what does is shared by [`IndexedDb::flushed`].
    fn is_lasting(&self) -> bool {
        false
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        // The table is gone when the instance is.
        let opened = OPENED.try_with(|all| all.borrow_mut().try_remove(self.opened));
        if let Ok(Some(Opened { database, .. })) = opened {
            // Transactions that are on their way end all the same.
            database.close();
        }
    }
}

fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}

async fn open(name: &str) -> Result<Database, JsValue> {
    let request = open_database(name, FORMAT)?;
    let upgraded = request.clone();
    let upgrade = Closure::once(move || upgraded.result().unchecked_into::<Database>().create_store(ROWS).map(drop));
    request.set_onupgradeneeded(upgrade.as_ref().unchecked_ref());
    let database: Database = answer(&request).await?.unchecked_into();
    // Whoever wants to delete it is not to wait for this one.
    let closed = database.clone();
    let close = Closure::once_into_js(move || closed.close());
    database.set_onversionchange(close.unchecked_ref());
    Ok(database)
}

/// What a request gives in the end.
async fn answer(request: &Request) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(&resolve);
        request.set_onerror(&reject);
    });
    match JsFuture::from(promise).await {
        Ok(_) => Ok(request.result()),
        Err(_) => Err(request.error()),
    }
}

/// Returns when a transaction has ended, and tells how.
async fn ended(transaction: &Transaction) -> Result<(), BackendError> {
    let promise = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(&resolve);
        transaction.set_onabort(&reject);
    });
    JsFuture::from(promise).await.map(drop).map_err(|_| failed(&transaction.failure()))
}

fn begin(database: &Database, mode: &str, strict: bool) -> Result<Transaction, JsValue> {
    let options = Object::new();
    let durability = if strict { "strict" } else { "relaxed" };
    Reflect::set(&options, &JsValue::from_str("durability"), &JsValue::from_str(durability))?;
    database.transaction(ROWS, mode, &options)
}

/// Begins a transaction of these changes, in their order.
fn write(database: &Database, batches: &[Batch], strict: bool) -> Result<Transaction, JsValue> {
    let transaction = begin(database, "readwrite", strict)?;
    let written = transaction.store(ROWS).and_then(|rows| {
        let mut named = Vec::new();
        batches.iter().flat_map(Batch::changes).try_for_each(|(table, key, row)| {
            named.clear();
            named.push(table as u8);
            named.extend_from_slice(key);
            let key = bytes(&named);
            match row {
                Some(row) => rows.put(&bytes(row), &key),
                None => rows.delete(&key),
            }
            .map(drop)
        })
    });
    if let Err(exception) = written {
        // Nothing of it is to be kept; it is as well where that fails, for then it has ended already.
        let _ = transaction.abort();
        return Err(exception);
    }
    Ok(transaction)
}
