//! This machine's real readings. Everything here blocks, for it asks the operating system.

use std::{sync::Arc, time::Instant};

use sysinfo::{Components, DiskRefreshKind, Disks, Networks, System};

use crate::readings::{Cpu, Disk, Memory, Network, Temperature};

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("the system's {what} cannot be read ({source}); run it where /proc and /sys are there")]
    Refused { what: &'static str, source: sysinfo::Error },
    #[error("the system shows no {what}; run it on a machine or in a container that has some")]
    Nothing { what: &'static str },
}

fn refused(what: &'static str) -> impl Fn(sysinfo::Error) -> MachineError {
    move |source| MachineError::Refused { what, source }
}

/// All readings of one moment.
#[derive(Debug)]
pub struct Readings {
    pub cpu: Cpu,
    pub memory: Memory,
    pub disk: Option<Disk>,
    pub network: Network,
}

/// What the operating system counts. Rates are since the reading before.
pub struct Machine {
    system: System,
    disks: Disks,
    networks: Networks,
    read_at: Instant,
}

impl Machine {
    /// Begins to count.
    pub fn open() -> Result<Self, MachineError> {
        let mut system = System::new().map_err(refused("processor"))?;
        system.refresh_cpu_usage();
        if system.cpus().is_empty() {
            return Err(MachineError::Nothing { what: "processor" });
        }
        let disks = Disks::new_with_refreshed_list_specifics(disk_parts()).map_err(refused("disks"))?;
        let networks = Networks::new_with_refreshed_list().map_err(refused("network interfaces"))?;
        Ok(Machine { system, disks, networks, read_at: Instant::now() })
    }

    pub fn read(&mut self) -> Readings {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.disks.refresh_specifics(true, disk_parts());
        self.networks.refresh(true);
        let seconds = self.read_at.elapsed().as_secs_f64().max(f64::EPSILON);
        self.read_at = Instant::now();
        Readings { cpu: self.cpu(), memory: self.memory(), disk: self.disk(seconds), network: self.network(seconds) }
    }

    fn cpu(&self) -> Cpu {
        let percent = self.system.global_cpu_usage();
        // The system counts in ticks, so that the whole may come out above each of its parts.
        let busiest = self.system.cpus().iter().map(sysinfo::Cpu::usage).fold(percent, f32::max);
        Cpu {
            percent: hundredths(percent.into()),
            busiest_core_percent: hundredths(busiest.into()),
            cores: self.system.cpus().len(),
        }
    }

    fn memory(&self) -> Memory {
        let (used_bytes, total_bytes) = (self.system.used_memory(), self.system.total_memory());
        Memory {
            percent: share(used_bytes, total_bytes),
            used_bytes,
            total_bytes,
            swap_used_bytes: self.system.used_swap(),
            swap_total_bytes: self.system.total_swap(),
        }
    }

    /// `None` where no disk is mounted, as in some containers.
    fn disk(&self, seconds: f64) -> Option<Disk> {
        let used = |disk: &sysinfo::Disk| disk.total_space().saturating_sub(disk.available_space());
        let fill = |disk: &sysinfo::Disk| share(used(disk), disk.total_space());
        let writable = self.disks.iter().filter(|disk| disk.total_space() > 0 && !disk.is_read_only());
        let fullest = writable.max_by(|a, b| fill(a).total_cmp(&fill(b)))?;
        // One disk may be mounted in several places; what it moves counts once.
        let mut devices: Vec<_> = self.disks.iter().map(|disk| (disk.name(), disk.usage())).collect();
        devices.sort_unstable_by_key(|(name, _)| *name);
        devices.dedup_by_key(|(name, _)| *name);
        let sum = |bytes: fn(&sysinfo::DiskUsage) -> u64| devices.iter().map(|(_, usage)| bytes(usage)).sum::<u64>();
        Some(Disk {
            percent: fill(fullest),
            used_bytes: used(fullest),
            total_bytes: fullest.total_space(),
            mount_point: fullest.mount_point().to_string_lossy().into(),
            read_bytes_per_second: rate(sum(|usage| usage.read_bytes), seconds),
            written_bytes_per_second: rate(sum(|usage| usage.written_bytes), seconds),
        })
    }

    fn network(&self, seconds: f64) -> Network {
        let outside = || self.networks.iter().filter(|(name, _)| !name.to_string_lossy().starts_with("lo"));
        let sum = |bytes: fn(&sysinfo::NetworkData) -> u64| outside().map(|(_, data)| bytes(data)).sum::<u64>();
        Network {
            received_bytes_per_second: rate(sum(sysinfo::NetworkData::received), seconds),
            sent_bytes_per_second: rate(sum(sysinfo::NetworkData::transmitted), seconds),
            received_bytes: sum(sysinfo::NetworkData::total_received),
            sent_bytes: sum(sysinfo::NetworkData::total_transmitted),
        }
    }
}

/// The machine's temperature sensors.
pub struct Sensors(Components);

impl Sensors {
    /// The sensors; `None` on a machine that shows none, as most virtual ones.
    pub fn open() -> Option<Self> {
        let mut sensors = Sensors(Components::new_with_refreshed_list().ok()?);
        sensors.read().is_some().then_some(sensors)
    }

    /// The hottest; `None` when no sensor answers any more.
    pub fn read(&mut self) -> Option<Temperature> {
        self.0.refresh(true);
        let answers = || {
            let all = self.0.iter().filter_map(|sensor| Some((f64::from(sensor.temperature()?), sensor.label())));
            all.filter(|(celsius, _)| celsius.is_finite())
        };
        let (celsius, label) = answers().max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        Some(Temperature { celsius: hundredths(celsius), sensor: Arc::from(label), sensors: answers().count() })
    }
}

/// The machine in a few words.
pub fn name() -> String {
    System::host_name().unwrap_or_else(|_| "this machine".into())
}

fn disk_parts() -> DiskRefreshKind {
    DiskRefreshKind::nothing().with_storage().with_io_usage()
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { hundredths(100.0 * part as f64 / whole as f64) }
}

fn rate(bytes: u64, seconds: f64) -> f64 {
    hundredths(bytes as f64 / seconds)
}

/// No counter of the system is finer than this.
fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_of_this_machine() {
        let readings = Machine::open().unwrap().read();
        assert!(readings.cpu.cores >= 1);
        assert!((0.0..=100.0).contains(&readings.cpu.percent), "{readings:?}");
        assert!(readings.memory.used_bytes > 0 && readings.memory.used_bytes <= readings.memory.total_bytes);
    }

    #[test]
    fn shares_are_hundredths_of_a_per_cent_and_of_nothing_none() {
        assert_eq!(share(1, 3), 33.33);
        assert_eq!(share(1, 0), 0.0);
    }
}
