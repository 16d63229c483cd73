//! The wall clock, asked of a time server (SNTP, RFC 4330 and 5905): what is asked, and what is believed of the answer.
//!
//! ```text
//!  0  leap 2, version 3, mode 3 | stratum | poll | precision
//!  4  root delay      8  root dispersion      12  reference: with stratum 0, a kiss of death
//! 16  reference time      24  originate      32  receive      40  transmit        seconds since 1900, fraction
//! ```
//!
//! What is sent carries no time, which nobody needs to know, but a number that nobody can guess, where the server's answer
//! has to repeat it: so who cannot see the question cannot set the clock.

use anabranch_executor::Duration;

pub(crate) const PACKET: usize = 48;
/// Leap 0, version 4, mode 3: a client.
const CLIENT: u8 = 4 << 3 | 3;
/// Leap 3: the server's own clock is not set.
const ALARM: u8 = 3;
const SERVER: u8 = 4;
/// Whose way to a clock is longer than this has none worth following.
const FARTHEST: Duration = Duration::from_secs(16);
/// From 1900 to 1970.
const UNIX: u64 = 2_208_988_800;

/// Why an answer sets no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It answers no question of ours.
    NotOurs,
    /// The server wants to be left alone: for good, or for some time.
    Kiss { for_good: bool },
    /// The server does not know the time.
    Unsynchronised,
    /// Its times contradict each other.
    Nonsense,
}

/// The question with the number `nonce`.
pub(crate) fn question(nonce: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = CLIENT;
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// The time since 1970 when the answer to the question `nonce` came, `took` after it was asked.
pub(crate) fn answer(packet: &[u8], nonce: u64, took: Duration) -> Result<Duration, Refusal> {
    let packet: &[u8; PACKET] = packet.first_chunk().ok_or(Refusal::NotOurs)?;
    let (leap, version, mode, stratum) = (packet[0] >> 6, packet[0] >> 3 & 7, packet[0] & 7, packet[1]);
    // Before all else, so that a stranger can neither set the clock nor silence the server.
    if mode != SERVER || !matches!(version, 3 | 4) || number(packet, 24) != nonce {
        return Err(Refusal::NotOurs);
    }
    if stratum == 0 {
        let for_good = matches!(&packet[12..16], b"DENY" | b"RSTR");
        return Err(Refusal::Kiss { for_good });
    }
    if leap == ALARM || stratum > 15 || short(packet, 4) / 2 + short(packet, 8) > FARTHEST {
        return Err(Refusal::Unsynchronised);
    }
    let (received, sent) = (number(packet, 32), number(packet, 40));
    // Of times that wrap every 136 years the difference counts; a negative one shows as a long one.
    let held = span(sent.wrapping_sub(received));
    if received == 0 || sent == 0 || held > took {
        return Err(Refusal::Nonsense);
    }
    // The way back took as long as the way there, as far as one can tell.
    Ok(unix(sent).ok_or(Refusal::Nonsense)? + (took - held) / 2)
}

fn number(packet: &[u8; PACKET], at: usize) -> u64 {
    packet[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// 16 bits of seconds and 16 of a fraction.
fn short(packet: &[u8; PACKET], at: usize) -> Duration {
    packet[at..].first_chunk().map_or(Duration::ZERO, |bytes| span(u64::from(u32::from_be_bytes(*bytes)) << 16))
}

/// 32 bits of seconds and 32 of a fraction.
fn span(ntp: u64) -> Duration {
    Duration::new(ntp >> 32, (((ntp & 0xffff_ffff) * 1_000_000_000) >> 32) as u32)
}

/// The seconds wrap in 2036: small ones are of the next era, which lasts until 2104.
fn unix(ntp: u64) -> Option<Duration> {
    let era = if ntp >> 63 == 0 { 1 << 32 } else { 0 };
    (span(ntp) + Duration::from_secs(era)).checked_sub(Duration::from_secs(UNIX))
}

/// The next number that nobody guesses who does not know `state`: SplitMix64.
pub(crate) fn next_nonce(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const NONCE: u64 = 0x0123_4567_89ab_cdef;
    const TOOK: Duration = Duration::from_millis(30);
    /// 2026-01-01T00:00:00 UTC.
    const YEAR_2026: u64 = 1_767_225_600;

    fn ntp(unix: u64, nanos: u64) -> [u8; 8] {
        (((unix + UNIX) << 32) | ((nanos << 32) / 1_000_000_000)).to_be_bytes()
    }

    /// A good answer: the server held the question for 10 ms.
    fn good() -> Vec<u8> {
        let mut packet = [0; PACKET];
        packet[0] = 4 << 3 | SERVER;
        packet[1] = 2;
        packet[4..12].copy_from_slice(&[0, 0, 0x10, 0, 0, 0, 0x20, 0]);
        packet[24..32].copy_from_slice(&NONCE.to_be_bytes());
        packet[32..40].copy_from_slice(&ntp(YEAR_2026, 0));
        packet[40..48].copy_from_slice(&ntp(YEAR_2026, 10_000_000));
        packet.to_vec()
    }

    fn with(change: impl FnOnce(&mut Vec<u8>)) -> Result<Duration, Refusal> {
        let mut packet = good();
        change(&mut packet);
        answer(&packet, NONCE, TOOK)
    }

    #[test]
    fn a_question_tells_nothing_but_its_number() {
        let question = question(NONCE);
        assert_eq!(question[0], 0x23);
        assert!(question[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(question[40..], NONCE.to_be_bytes());
    }

    #[test]
    fn a_good_answer_is_the_server_s_time_and_half_of_the_way() {
        let time = with(|_| {}).expect("a good answer");
        let exact = Duration::new(YEAR_2026, 20_000_000);
        assert!(exact.abs_diff(time) < Duration::from_nanos(2), "{time:?}");
        assert_eq!(with(|packet| packet[0] = 3 << 3 | SERVER), Ok(time), "an older server");
        assert_eq!(with(|packet| packet[0] |= 1 << 6), Ok(time), "a leap second is announced");
        assert_eq!(with(|packet| packet.extend([0; 20])), Ok(time), "what stands behind is not ours to read");
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_nobody_s() {
        assert_eq!(answer(&good(), NONCE + 1, TOOK), Err(Refusal::NotOurs));
        for mode in (0..8).filter(|mode| *mode != SERVER) {
            assert_eq!(with(|packet| packet[0] = 4 << 3 | mode), Err(Refusal::NotOurs), "mode {mode}");
        }
        assert_eq!(with(|packet| packet[0] = SERVER), Err(Refusal::NotOurs), "version 0");
        for size in 0..PACKET {
            assert_eq!(with(|packet| packet.truncate(size)), Err(Refusal::NotOurs), "{size} bytes");
        }
    }

    #[test]
    fn a_kiss_of_death_counts_only_from_who_saw_the_question() {
        let kiss = |code: &'static [u8; 4]| {
            move |packet: &mut Vec<u8>| {
                packet[1] = 0;
                packet[12..16].copy_from_slice(code);
            }
        };
        assert_eq!(with(kiss(b"DENY")), Err(Refusal::Kiss { for_good: true }));
        assert_eq!(with(kiss(b"RSTR")), Err(Refusal::Kiss { for_good: true }));
        assert_eq!(with(kiss(b"RATE")), Err(Refusal::Kiss { for_good: false }));
        let forged = with(|packet| {
            kiss(b"DENY")(packet);
            packet[24] ^= 1;
        });
        assert_eq!(forged, Err(Refusal::NotOurs));
    }

    #[test]
    fn a_server_that_does_not_know_the_time_is_not_believed() {
        assert_eq!(with(|packet| packet[0] |= ALARM << 6), Err(Refusal::Unsynchronised));
        assert_eq!(with(|packet| packet[1] = 16), Err(Refusal::Unsynchronised));
        assert_eq!(with(|packet| packet[9] = 17), Err(Refusal::Unsynchronised), "17 s of dispersion");
        assert_eq!(with(|packet| packet[4] = 0xff), Err(Refusal::Unsynchronised), "a delay of hours");
    }

    #[test]
    fn times_that_contradict_each_other_are_not_believed() {
        assert_eq!(with(|packet| packet[40..48].fill(0)), Err(Refusal::Nonsense));
        assert_eq!(with(|packet| packet[32..40].fill(0)), Err(Refusal::Nonsense));
        let held = |nanos| with(|packet| packet[40..48].copy_from_slice(&ntp(YEAR_2026, nanos)));
        assert_eq!(held(30_001_000), Err(Refusal::Nonsense), "held for longer than it took");
        assert!(held(0).is_ok());
        assert_eq!(answer(&good(), NONCE, Duration::ZERO), Err(Refusal::Nonsense));
        let backwards = with(|packet| packet[40..48].copy_from_slice(&ntp(YEAR_2026 - 1, 0)));
        assert_eq!(backwards, Err(Refusal::Nonsense), "sent before it was received");
    }

    #[test]
    fn the_seconds_may_wrap() {
        let at = |received: u64, sent: u64| {
            with(|packet| {
                packet[32..40].copy_from_slice(&received.to_be_bytes());
                packet[40..48].copy_from_slice(&sent.to_be_bytes());
            })
        };
        // 2036-02-07T06:28:16 UTC.
        let wrap = Duration::from_secs((1 << 32) - UNIX);
        let after = at(u64::MAX, 1 << 20).expect("across the wrap");
        assert!(after > wrap && after - wrap < TOOK);
        assert_eq!(unix(u64::MAX).map(|time| time.as_secs() + 1), Some(wrap.as_secs()));
        assert_eq!(at(1 << 63, 1 << 63), Err(Refusal::Nonsense), "1968");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 7;
        for round in 0..if cfg!(miri) { 200 } else { 20_000 } {
            let mut packet = good();
            for _ in 0..1 + round % 6 {
                let random = next_nonce(&mut state);
                packet[(random >> 8) as usize % PACKET] = random as u8;
            }
            let _ = answer(&packet, NONCE, TOOK);
        }
        for byte in 0..=255 {
            let mut packet = [byte; PACKET];
            packet[0] = 4 << 3 | SERVER;
            let _ = answer(&packet, u64::from_be_bytes([byte; 8]), Duration::MAX);
        }
    }

    #[test]
    fn numbers_differ() {
        let mut state = 0;
        let mut numbers: Vec<u64> = (0..1_000).map(|_| next_nonce(&mut state)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1_000);
    }
}
