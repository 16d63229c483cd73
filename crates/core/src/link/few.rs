//! A queue of so many places, in place; of none, too, which costs nothing.

use crate::link::outbound::Kept;

/// A queue with `N` places.
#[derive(Debug)]
pub(crate) struct Few<T, const N: usize> {
    places: [Option<T>; N],
    first: usize,
    count: usize,
}

impl<T, const N: usize> Few<T, N> {
    pub(crate) const fn new() -> Self {
        Few { places: [const { None }; N], first: 0, count: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts a value at the end, and gives it back when there is no place.
    pub(crate) fn push_back(&mut self, value: T) -> Result<(), T> {
        let end = self.first + self.count;
        let place = if end >= N { end - N } else { end };
        match self.places.get_mut(place) {
            Some(place) if self.count < N => {
                *place = Some(value);
                self.count += 1;
                Ok(())
            }
            _ => Err(value),
        }
    }

    /// Takes the first value.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let value = self.places.get_mut(self.first)?.take()?;
        self.first = if self.first + 1 >= N { 0 } else { self.first + 1 };
        self.count -= 1;
        Some(value)
    }
}

impl<T, const N: usize> Kept<T> for Few<T, N> {
    fn room(&self) -> usize {
        N
    }

    fn len(&self) -> usize {
        self.count
    }

    fn push(&mut self, value: T) {
        drop(self.push_back(value)); // there is a place: who pushes has looked
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_in_their_order_and_what_has_no_place_comes_back() {
        let mut none: Few<u32, 0> = Few::new();
        assert_eq!((none.push_back(1), none.pop_front(), none.is_empty()), (Err(1), None, true));
        let mut few: Few<u32, 3> = Few::new();
        let (mut next, mut expected) = (0, 0);
        for step in 0..100 {
            for _ in 0..step % 4 {
                let full = few.count == 3;
                assert_eq!(few.push_back(next), if full { Err(next) } else { Ok(()) });
                next += u32::from(!full);
            }
            for _ in 0..(step + 1) % 3 {
                match few.pop_front() {
                    Some(value) => {
                        assert_eq!(value, expected);
                        expected += 1;
                    }
                    None => assert_eq!(next, expected, "it was empty"),
                }
            }
        }
        assert!(expected > 50);
    }
}
