//! A database with links over MQTT, as a script drives it: a number that comes in on `in/Q` at QoS Q can be sent out on `out/Q`.

use crate::RT;
use anabranch::{
    Anabranch, BufferCfg, ConnectionState, ConnectorConfig, Consumer, Producer, WasmAdapter, mqtt::MqttConnector,
};
use anabranch_wasm::{alive, promise};
use js_sys::{Array, Error, Promise};
use std::{cell::RefCell, fmt::Display, rc::Rc, time::Duration};
use wasm_bindgen::prelude::*;

const QUALITIES: [u8; 3] = [0, 1, 2];

/// A running database.
#[wasm_bindgen]
pub struct House {
    inner: Rc<Inner>,
}

struct Inner {
    db: Anabranch<WasmAdapter>,
    /// Of each quality; away while somebody waits for it.
    incoming: [RefCell<Option<Consumer<u64>>>; 3],
    outgoing: [Producer<u64>; 3],
    connection: RefCell<Option<Consumer<ConnectionState>>>,
}

fn error(what: impl Display) -> JsValue {
    Error::new(&what.to_string()).into()
}

#[wasm_bindgen]
impl House {
    /// Starts a database with a connection to the broker at `url`.
    pub fn open(url: String, id: String) -> Promise {
        promise(async move {
            let connector =
                MqttConnector::new(url).client_id(id).backoff(Duration::from_millis(10), Duration::from_millis(200));
            let mut builder = Anabranch::builder().runtime(RT).with_connector(connector);
            for quality in QUALITIES {
                let qos = ConnectorConfig { qos: Some(quality), ..Default::default() };
                builder = builder
                    .configure::<u64>(format!("in{quality}"), |r| {
                        r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
                        r.link_from(format!("mqtt://in/{quality}")).with_json().with_config(qos);
                    })
                    .configure::<u64>(format!("out{quality}"), |r| {
                        r.with_buffer(BufferCfg::Queue { capacity: 64, consumers: 1 });
                        r.link_to(format!("mqtt://out/{quality}")).with_json().with_config(qos);
                    });
            }
            let db = builder.build().await.map_err(error)?;
            let consumer = |quality| db.consumer::<u64>(format!("in{quality}")).map_err(error);
            let producer = |quality| db.producer::<u64>(format!("out{quality}")).map_err(error);
            let incoming = [consumer(0)?, consumer(1)?, consumer(2)?].map(|ends| RefCell::new(Some(ends)));
            let outgoing = [producer(0)?, producer(1)?, producer(2)?];
            let connection = RefCell::new(db.connection("mqtt"));
            db.start();
            Ok(House { inner: Rc::new(Inner { db, incoming, outgoing, connection }) }.into())
        })
    }

    /// Waits until there is a connection.
    pub fn online(&self) -> Promise {
        self.until(ConnectionState::Online)
    }

    /// Waits until there is none.
    pub fn offline(&self) -> Promise {
        self.until(ConnectionState::Offline)
    }

    fn until(&self, wanted: ConnectionState) -> Promise {
        let inner = self.inner.clone();
        promise(async move {
            let mut connection = inner.connection.take().ok_or_else(|| error("somebody waits already"))?;
            while connection.next().await.ok_or_else(|| error("the database has ended"))? != wanted {}
            inner.connection.replace(Some(connection));
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The next number that comes in at this quality.
    pub fn receive(&self, quality: usize) -> Promise {
        let inner = self.inner.clone();
        promise(async move {
            let place = inner.incoming.get(quality).ok_or_else(|| error("a quality is 0, 1 or 2"))?;
            let mut consumer = place.take().ok_or_else(|| error("somebody waits already"))?;
            let value = consumer.next().await;
            place.replace(Some(consumer));
            value.map(|value| JsValue::from(value as f64)).ok_or_else(|| error("the record has closed"))
        })
    }

    /// Sends a number out.
    pub fn send(&self, quality: usize, value: f64) -> Promise {
        let inner = self.inner.clone();
        promise(async move {
            let producer = inner.outgoing.get(quality).ok_or_else(|| error("a quality is 0, 1 or 2"))?;
            producer.send(value as u64).await.map_err(|_| error("the record has closed"))?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// How often it was connected, and why it is not: `[connects, lastError]`.
    pub fn status(&self) -> Result<Array, JsValue> {
        alive()?;
        let status = self.inner.db.connectors().swap_remove(0);
        let last_error = status.last_error.map_or(JsValue::UNDEFINED, |words| JsValue::from(&*words));
        Ok(Array::of2(&(status.connects as f64).into(), &last_error))
    }

    /// Shuts it down, and names what did not end by itself.
    pub fn close(&self) -> Promise {
        let inner = self.inner.clone();
        promise(async move {
            let shutdown = inner.db.shutdown(Duration::from_secs(20)).await;
            Ok(format!("{:?}", shutdown.aborted).into())
        })
    }
}
