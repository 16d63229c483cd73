#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::{TokioAdapter, prelude::*};
use std::{cell::Cell, convert::Infallible, rc::Rc};

fn counts(builder: anabranch::Builder<TokioAdapter>) {
    let count = Rc::new(Cell::new(0));
    builder.configure::<u64>("values", |r| {
        let counted = count.clone();
        r.link_from("mqtt://values").with_deserializer(move |_, _| {
            counted.set(counted.get() + 1);
            Ok::<_, Infallible>(counted.get())
        });
        let counted = count.clone();
        r.link_to("mqtt://copies").with_serializer(move |value: &u64, payload| {
            counted.set(counted.get() + 1);
            payload.push(&value.to_be_bytes())
        });
    });
}

fn main() {}
