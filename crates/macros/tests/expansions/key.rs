#[automatically_derived]
impl ::anabranch::RecordKey<Temperature> for TemperatureKey {
    fn name(&self) -> &str {
        "sensor/temperature"
    }
}
