//! Sensors to alerts in a browser's tab: the same services as everywhere, and a page that is told what its chart shows.
//!
//! ```text
//!  services of `sensors-to-alerts` ──▶ SMOOTHED ──▶ reading(ms, °C) ┐
//!                                  └─▶ ALERT ─────▶ alert(text)     ├──▶ sensors.js, which draws
//! ```

use anabranch::WasmAdapter;
use js_sys::Function;
use sensors_to_alerts::{SAMPLE, SMOOTHED, start};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

// The runtime: the JavaScript host is global, so its adapter holds nothing.
static RUNTIME: WasmAdapter = WasmAdapter::new();

/// Runs until the signal ends, and gives how long the edges took, in a line for people and one for programs. `reading` is called with
/// each smoothed reading, as milliseconds since the start and degrees Celsius; `alert` with each alert, as text.
///
/// # Errors
/// That it runs already.
#[wasm_bindgen]
pub async fn run(reading: Function, alert: Function) -> Result<String, JsError> {
    let mut smoothed = SMOOTHED.consumer()?;
    let mut alerts = start(&RUNTIME)?;
    spawn_local(async move {
        let mut sample = 0;
        while let Some(next) = smoothed.next().await {
            let at = f64::from(sample) * SAMPLE.as_secs_f64() * 1e3;
            told(&reading, &[at.into(), (f64::from(next.millicelsius) / 1e3).into()]);
            sample += 1;
        }
    });
    while let Some(next) = alerts.next().await {
        told(&alert, &[next.to_string().into()]);
    }
    Ok(alerts.latency("Chromium").to_string())
}

/// What the page does with it is its own affair: one that throws stops no service.
fn told(page: &Function, words: &[JsValue]) {
    let _ = page.apply(&JsValue::NULL, &words.iter().collect());
}
