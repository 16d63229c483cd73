//! Two orders: one that tells all values apart, and the coarser one of queries.
//!
//! A query does not tell 1 from 1.0, nor one moment from the same moment at another offset: that is the *order* of
//! openCypher's `ORDER BY` and the *equivalence* of `DISTINCT` and grouping, as CIP2016-06-14 ("Definitions for
//! Comparability and Equality, and Orderability and Equivalence") defines them. The store must tell them apart, or what
//! comes back would not be what went in. So `Ord` is the query's order and, between values that this finds equal, another
//! rule; `Eq` and `Hash` agree with it, and [`Equivalent`] has all three without that rule.

use crate::{Map, Value};
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

impl Value {
    /// The order of openCypher's `ORDER BY`, in which values that are one to a query are equal.
    ///
    /// Kinds first: map < list < datetime < localdatetime < date < time < localtime < duration < bytes < string < boolean <
    /// number < null. (Bytes are ours, and stand before strings.) Then, within a kind:
    ///
    /// - numbers by what they are worth, to the last digit, whether integer or float; all that are not a number are equal,
    ///   and after infinity;
    /// - strings by code points, bytes by bytes; false before true;
    /// - lists element by element, the shorter first where one begins with the other;
    /// - maps as lists of their entries, sorted by key: their own order does not count;
    /// - times and moments by their time in UTC; durations by their average length, then by months, days and seconds.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(one), Self::Int(another)) => one.cmp(another),
            (Self::Int(int), Self::Float(float)) => int_to_float(*int, *float),
            (Self::Float(float), Self::Int(int)) => int_to_float(*int, *float).reverse(),
            (Self::Float(one), Self::Float(another)) => {
                one.partial_cmp(another).unwrap_or_else(|| one.is_nan().cmp(&another.is_nan()))
            }
            (Self::Bool(one), Self::Bool(another)) => one.cmp(another),
            (Self::String(one), Self::String(another)) => one.cmp(another),
            (Self::Bytes(one), Self::Bytes(another)) => one.cmp(another),
            (Self::List(one), Self::List(another)) => {
                first_unequal(one.iter().zip(another.iter()), |(one, another)| one.order(another))
                    .then(one.len().cmp(&another.len()))
            }
            (Self::Map(one), Self::Map(another)) if one.shares(another) => Ordering::Equal,
            (Self::Map(one), Self::Map(another)) => {
                let entries = one.sorted().into_iter().zip(another.sorted());
                let by_entry =
                    first_unequal(entries, |(one, another)| one.0.cmp(another.0).then_with(|| one.1.order(another.1)));
                by_entry.then(one.len().cmp(&another.len()))
            }
            (Self::Date(one), Self::Date(another)) => one.cmp(another),
            (Self::LocalTime(one), Self::LocalTime(another)) => one.cmp(another),
            (Self::ZonedTime(one), Self::ZonedTime(another)) => {
                one.utc_nanosecond_of_day().cmp(&another.utc_nanosecond_of_day())
            }
            (Self::LocalDateTime(one), Self::LocalDateTime(another)) => one.cmp(another),
            (Self::ZonedDateTime(one), Self::ZonedDateTime(another)) => one.unix().cmp(&another.unix()),
            (Self::Duration(one), Self::Duration(another)) => one.cmp(another),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    /// The order between two values that [`order`](Self::order) finds equal, and so are of one shape.
    fn order_further(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(_), Self::Float(_)) => Ordering::Less,
            (Self::Float(_), Self::Int(_)) => Ordering::Greater,
            // Tells -0.0 from 0.0, and what is not a number by its bits.
            (Self::Float(one), Self::Float(another)) => one.total_cmp(another),
            (Self::List(one), Self::List(another)) => {
                first_unequal(one.iter().zip(another.iter()), |(one, another)| one.order_further(another))
            }
            (Self::Map(one), Self::Map(another)) if one.shares(another) => Ordering::Equal,
            (Self::Map(one), Self::Map(another)) => {
                let values = one.sorted().into_iter().zip(another.sorted());
                let by_value = first_unequal(values, |(one, another)| one.1.order_further(another.1));
                by_value.then_with(|| one.keys().cmp(another.keys()))
            }
            // Their own order tells offsets apart.
            (Self::ZonedTime(one), Self::ZonedTime(another)) => one.cmp(another),
            (Self::ZonedDateTime(one), Self::ZonedDateTime(another)) => one.cmp(another),
            _ => Ordering::Equal,
        }
    }

    /// Feeds a hasher so that values which [`order`](Self::order) finds equal hash the same.
    fn hash_equivalent<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        match self {
            Self::Float(number) => match as_exact_int(*number) {
                Some(int) => int.hash(state),
                None if number.is_nan() => f64::NAN.to_bits().hash(state),
                None => number.to_bits().hash(state),
            },
            Self::List(list) => {
                list.len().hash(state);
                list.iter().for_each(|value| value.hash_equivalent(state));
            }
            Self::Map(map) => {
                map.len().hash(state);
                for (key, value) in map.sorted() {
                    key.hash(state);
                    value.hash_equivalent(state);
                }
            }
            Self::ZonedTime(time) => time.utc_nanosecond_of_day().hash(state),
            Self::ZonedDateTime(moment) => moment.unix().hash(state),
            _ => self.hash_scalar(state),
        }
    }

    fn hash_scalar<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Null | Self::List(_) | Self::Map(_) => {}
            Self::Bool(truth) => truth.hash(state),
            Self::Int(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
            Self::String(text) => text.hash(state),
            Self::Bytes(bytes) => bytes.hash(state),
            Self::Date(date) => date.hash(state),
            Self::LocalTime(time) => time.hash(state),
            Self::ZonedTime(time) => time.hash(state),
            Self::LocalDateTime(moment) => moment.hash(state),
            Self::ZonedDateTime(moment) => moment.hash(state),
            Self::Duration(duration) => duration.hash(state),
        }
    }
}

fn first_unequal<T>(pairs: impl Iterator<Item = T>, order: impl Fn(T) -> Ordering) -> Ordering {
    pairs.map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// 2^63: the first float beyond all integers of 64 bits, and a power of two, so it is exact.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// Compares without a rounding: a float of 53 bits cannot hold every integer, nor an integer a fraction.
fn int_to_float(int: i64, float: f64) -> Ordering {
    if float.is_nan() || float >= BEYOND {
        return Ordering::Less;
    }
    if float < -BEYOND {
        return Ordering::Greater;
    }
    let whole = float as i64;
    // Exact: where a float has a fraction, its whole part has less than 53 bits.
    let fraction = float - whole as f64;
    int.cmp(&whole).then_with(|| 0.0.partial_cmp(&fraction).expect("a finite float has a fraction"))
}

/// The integer that a float is worth, if there is one of 64 bits.
fn as_exact_int(float: f64) -> Option<i64> {
    let int = float as i64;
    int_to_float(int, float).is_eq().then_some(int)
}

/// The same to the last bit: kind and sign of numbers, order of keys, offsets and names of zones. 1 is not 1.0, and what
/// is not a number is what it is.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(another)) => one == another,
            (Self::Int(one), Self::Int(another)) => one == another,
            (Self::Float(one), Self::Float(another)) => one.to_bits() == another.to_bits(),
            (Self::String(one), Self::String(another)) => one == another,
            (Self::Bytes(one), Self::Bytes(another)) => one == another,
            (Self::List(one), Self::List(another)) => one == another,
            (Self::Map(one), Self::Map(another)) => one == another,
            (Self::Date(one), Self::Date(another)) => one == another,
            (Self::LocalTime(one), Self::LocalTime(another)) => one == another,
            (Self::ZonedTime(one), Self::ZonedTime(another)) => one == another,
            (Self::LocalDateTime(one), Self::LocalDateTime(another)) => one == another,
            (Self::ZonedDateTime(one), Self::ZonedDateTime(another)) => one == another,
            (Self::Duration(one), Self::Duration(another)) => one == another,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// The [order of queries](Value::order), and where that finds two values equal that are not: integers before floats, -0.0
/// before 0.0, floats that are not a number by IEEE 754's total order, offsets from west to east, then names of zones; maps
/// by their values in the order of sorted keys, then by their keys as they stand.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other).then_with(|| self.order_further(other))
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::List(list) => list.hash(state),
            Self::Map(map) => map.hash(state),
            _ => self.hash_scalar(state),
        }
    }
}

/// The same entries in the same order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.shares(other) || self.iter().eq(other.iter())
    }
}

impl Eq for Map {}

impl Hash for Map {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

/// A value (owned, borrowed or shared) that is equal to all that are one with it to a query: for grouping and `DISTINCT`.
///
/// ```
/// use anabranch_value::{Equivalent, Value};
///
/// assert_ne!(Value::Int(1), Value::Float(1.0));
/// assert_eq!(Equivalent(Value::Int(1)), Equivalent(Value::Float(1.0)));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Equivalent<V = Value>(pub V);

impl<V: Borrow<Value>> PartialEq for Equivalent<V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<V: Borrow<Value>> Eq for Equivalent<V> {}

impl<V: Borrow<Value>> Ord for Equivalent<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.borrow().order(other.0.borrow())
    }
}

impl<V: Borrow<Value>> PartialOrd for Equivalent<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V: Borrow<Value>> Hash for Equivalent<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.borrow().hash_equivalent(state);
    }
}
