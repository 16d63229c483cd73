#[automatically_derived]
impl crate::RecordKey<Vec<bool>> for Lamp {
    fn name(&self) -> &str {
        match self {
            Self::Hall => "lamp/hall",
            Self::Stairs => "lamp/stairs",
        }
    }
}
