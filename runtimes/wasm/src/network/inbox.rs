//! What has come and was not read yet: a stretch of bytes that is read at its front and grows at its end.

/// What is kept for the next burst when all was read.
const KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// How many at the front were read.
    read: usize,
}

impl Inbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.read
    }

    /// Room for `count` more at the end, to be filled.
    pub fn grow(&mut self, count: usize) -> &mut [u8] {
        // What was read makes room when it is the larger part: so each byte is moved once at most.
        if self.read > self.len() {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        let end = self.bytes.len();
        self.bytes.resize(end + count, 0);
        &mut self.bytes[end..]
    }

    /// Moves what fits into `buffer`, and says how much.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.len());
        buffer[..count].copy_from_slice(&self.bytes[self.read..self.read + count]);
        self.read += count;
        if self.len() == 0 {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            self.read = 0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.grow(bytes.len()).copy_from_slice(bytes);
    }

    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_pieces() {
        let mut inbox = Inbox::default();
        let (mut wanted, mut got) = (Vec::new(), Vec::new());
        for round in 0..200_u32 {
            let bytes: Vec<u8> = (0..round % 13).map(|byte| (round * 31 + byte) as u8).collect();
            put(&mut inbox, &bytes);
            wanted.extend(bytes);
            let mut buffer = [0; 7];
            let count = inbox.read(&mut buffer[..(round % 8) as usize]);
            got.extend(&buffer[..count]);
            assert_eq!(inbox.len(), wanted.len() - got.len());
        }
        let mut rest = vec![0; inbox.len()];
        assert_eq!(inbox.read(&mut rest), rest.len());
        got.extend(rest);
        assert_eq!(got, wanted);
    }

    #[test]
    fn what_was_read_takes_no_room_for_long() {
        let mut inbox = Inbox::default();
        for _ in 0..1_000 {
            put(&mut inbox, &[1; 1_000]);
            inbox.read(&mut [0; 999]);
        }
        assert_eq!(inbox.len(), 1_000);
        assert!(inbox.bytes.capacity() < 10_000, "{}", inbox.bytes.capacity());
        put(&mut inbox, &[2; 1 << 20]);
        inbox.read(&mut vec![0; 2 << 20]);
        assert!(inbox.bytes.capacity() <= KEPT);
    }
}
