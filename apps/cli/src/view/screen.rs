//! What the view shows, as data, and how it is drawn. It knows no terminal and no clock, so that a test can draw it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anabranch::{
    Anabranch, BufferKind, ConnectionState, ConnectorStatus, Graph, GraphService, GraphServiceKind, LinkDirection,
    LinkStatus, RecordStatus, ServicePhase, ServiceStatus, prelude::*,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Paragraph, Row, Table, Wrap},
};

use super::trend::Trend;
use crate::{
    flow,
    mqtt::Mqtt,
    past::{Extent, Past},
    readings::{Alert, AlertState, Limits, Seen, Value},
    timestamp::Timestamp,
};

/// What does not change while the view is there.
#[derive(Debug, Clone)]
pub struct About {
    pub machine: String,
    pub every: Duration,
    /// The limits of the start.
    pub limits: Limits,
    pub mqtt: Option<Mqtt>,
    pub past: Option<Past>,
    /// Something to be said once.
    pub note: Option<String>,
}

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Records, services and alerts.
    Flow,
    /// What flows from where to where.
    Graph,
}

#[derive(Debug, Clone)]
pub struct Screen {
    pub page: Page,
    about: About,
    graph: Graph,
    up: Duration,
    records: Vec<RecordStatus>,
    services: Vec<ServiceStatus>,
    links: Vec<LinkStatus>,
    connectors: Vec<ConnectorStatus>,
    /// What could not pass last, and when that was seen.
    failure: Option<(Duration, String)>,
    seen: BTreeMap<&'static str, Watched>,
    paces: BTreeMap<String, Pace>,
    alerts: VecDeque<(Timestamp, Alert)>,
    raised: u64,
    /// How much is kept, and how many values could not be.
    kept: Option<(Extent, u64)>,
}

/// A record's newest value, and how it came to it.
#[derive(Debug, Clone)]
struct Watched {
    time: Timestamp,
    newest: Value,
    trend: Trend,
}

/// The smallest terminal that shows something of everything.
const LEAST: (u16, u16) = (72, 22);
const MOST_ALERTS: usize = 50;
/// How long it is shown that a value could not pass.
const FAILURE_SHOWN: Duration = Duration::from_secs(15);
/// What a value in short takes.
const VALUE: u16 = 19;

const GOOD: Color = Color::Green;
const NEAR: Color = Color::Yellow;
const OVER: Color = Color::Red;

impl Screen {
    pub fn new(about: About, graph: Graph) -> Self {
        Screen {
            page: Page::Flow,
            about,
            graph,
            up: Duration::ZERO,
            records: Vec::new(),
            services: Vec::new(),
            links: Vec::new(),
            connectors: Vec::new(),
            failure: None,
            seen: BTreeMap::new(),
            paces: BTreeMap::new(),
            alerts: VecDeque::new(),
            raised: 0,
            kept: None,
        }
    }

    /// Takes a value that passed through a record.
    pub fn seen(&mut self, seen: Seen) {
        if let Value::Alert(alert) = &seen.value {
            self.raised += u64::from(alert.state == AlertState::Raised);
        }
        self.recall(seen);
    }

    /// Takes a value that passed through a record of a demo before this one.
    pub fn recall(&mut self, Seen { record, time, value }: Seen) {
        if let Value::Alert(alert) = &value {
            self.alerts.push_front((time, alert.clone()));
            self.alerts.truncate(MOST_ALERTS);
        }
        let watched =
            self.seen.entry(record).or_insert_with(|| Watched { time, newest: value.clone(), trend: Trend::default() });
        watched.trend.push(time, value.plotted());
        // Of several levels of one moment, the one nearest its limit is shown.
        if watched.time != time || value.plotted().number() >= watched.newest.plotted().number() {
            (watched.time, watched.newest) = (time, value);
        }
    }

    /// Takes the state of everything, `up` after the view was opened.
    pub fn look<R>(&mut self, up: Duration, db: &Anabranch<R>)
    where
        R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
    {
        let mut records = db.records();
        records.sort_by_key(|record| flow::IN_ORDER.iter().position(|name| *name == record.name));
        for record in &records {
            self.paces.entry(record.name.clone()).or_default().look(up, record.status.produced);
        }
        // Links that run are counted with the broker; of services, those that do not run come first.
        let mut services = db.services();
        // What keeps records is counted with the store.
        let is_counted = |name: &str| {
            let counted = [GraphServiceKind::Link, GraphServiceKind::Keep];
            self.graph.services.iter().any(|s| counted.contains(&s.kind) && s.name == name)
        };
        services.retain(|service| service.phase != ServicePhase::Running || !is_counted(&service.name));
        services.sort_by_key(|service| service.phase == ServicePhase::Running);
        (self.up, self.records, self.services) = (up, records, services);
        let (links, before) = (db.links(), self.links.iter().map(|link| link.failed).chain(std::iter::repeat(0)));
        let failed = links.iter().zip(before).find(|(link, before)| link.failed > *before);
        if let Some(why) = failed.and_then(|(link, _)| link.last_error.clone()) {
            self.failure = Some((up, why));
        }
        (self.links, self.connectors) = (links, db.connectors());
        let lost = || db.keeps().iter().map(|keep| keep.lost + keep.failed).sum();
        self.kept = self.about.past.as_ref().map(|past| (past.extent(), lost()));
    }

    pub fn draw(&self, frame: &mut Frame<'_>, paused: bool) {
        let area = frame.area();
        if area.width < LEAST.0 || area.height < LEAST.1 {
            let (width, height) = LEAST;
            let words = format!("This window is too small: make it {width} columns by {height} rows. q ends.");
            frame.render_widget(Paragraph::new(words).wrap(Wrap { trim: true }), area);
            return;
        }
        let [title, body, keys] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area);
        frame.render_widget(self.title(paused, usize::from(title.width)), title);
        match self.page {
            Page::Flow => self.draw_flow(frame, body),
            Page::Graph => self.draw_graph(frame, body),
        }
        frame.render_widget(self.keys(), keys);
    }

    fn title(&self, paused: bool, width: usize) -> Line<'_> {
        let seconds = self.up.as_secs();
        let up = format!("{:02}:{:02}:{:02} ", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let left = format!(" anabranch demo  {}, every {:?}", self.about.machine, self.about.every);
        let state = if paused { "  PAUSED, p goes on" } else { "" };
        let gap = width.saturating_sub(left.chars().count() + state.len() + up.chars().count());
        let bar = Style::new().fg(Color::Black).bg(Color::Cyan);
        Line::from(vec![
            Span::styled(left, bar.bold()),
            Span::styled(state, bar.fg(Color::Red).bold()),
            Span::styled(" ".repeat(gap), bar),
            Span::styled(up, bar),
        ])
    }

    fn keys(&self) -> Line<'static> {
        let other = if self.page == Page::Flow { " graph  " } else { " back  " };
        let mut keys = vec![" ".into()];
        for (key, does) in [("q", " quit  "), ("p", " pause  "), ("g", other)] {
            keys.push(key.bold().fg(Color::Cyan));
            keys.push(does.dim());
        }
        if let Some(note) = &self.about.note {
            keys.push(note.clone().dim().italic());
        }
        Line::from(keys)
    }

    fn draw_flow(&self, frame: &mut Frame<'_>, area: Rect) {
        let (records, services) = (rows(self.records.len()) + 1, rows(self.services.len()) + 1);
        let mut broker = self.broker(usize::from(area.width));
        broker.extend(self.store());
        let outside = rows(broker.len());
        // Empty lines between the parts where there is room for them, and what is left goes to the alerts.
        let gap = u16::from(area.height >= records + outside + services + 7);
        let services = services.min(area.height.saturating_sub(records + outside + 3 * gap + 3));
        let parts = [records, gap.min(outside), outside, gap, services, gap].map(Constraint::Length);
        let [records, _, outside, _, services, _, alerts] =
            Layout::vertical(parts.into_iter().chain([Constraint::Min(0)])).areas(area);
        self.draw_records(frame, records);
        frame.render_widget(Paragraph::new(broker), inset(outside));
        self.draw_services(frame, services);
        self.draw_alerts(frame, alerts);
    }

    fn draw_records(&self, frame: &mut Frame<'_>, area: Rect) {
        let spare = area.width.saturating_sub(80);
        // Of what is more than 80 columns, the values get three fifths, at most 30, for their details, and the trend the rest.
        let (value, buffer) = if spare >= 20 { (VALUE + (spare * 3 / 5).min(30), 13) } else { (VALUE, 7) };
        // name, value, trend, values a second, values ever, held, lagged, buffer
        let fixed = [11, value, 0, 6, 8, 5, 4, buffer];
        let gaps = u16::try_from(fixed.len() - 1).unwrap_or(0) + 2;
        let trend = area.width.saturating_sub(fixed.iter().sum::<u16>() + gaps);
        let widths = fixed.map(|width| Constraint::Length(if width == 0 { trend } else { width }));
        let rows = self.records.iter().map(|record| {
            let status = record.status;
            let seen = self.seen.get(record.name.as_str());
            let value = match seen {
                None => Line::from("–".dim()),
                Some(Watched { newest, .. }) => {
                    let (short, more) = (newest.short(), newest.more());
                    let room = usize::from(value).saturating_sub(usize::from(VALUE) + 1);
                    let pad = usize::from(VALUE).saturating_sub(short.chars().count()) + 1;
                    Line::from(vec![short.into(), " ".repeat(pad).into(), cut(&more, room).dim()])
                }
            };
            let trend = seen.map(|seen| self.trend(&record.name, seen, trend)).unwrap_or_default();
            let rate = self.paces.get(&record.name).map_or(0.0, |pace| pace.a_second(self.up));
            let lost = Line::from(status.lost.to_string()).right_aligned();
            Row::new([
                Line::from(record.name.as_str().bold()),
                value,
                trend,
                Line::from(format!("{rate:.1}")).right_aligned(),
                Line::from(status.produced.to_string()).right_aligned(),
                Line::from(format!("{}/{}", status.held, status.capacity)).right_aligned(),
                if status.lost > 0 { lost.fg(NEAR) } else { lost.dim() },
                Line::from(if buffer < 13 { short_name(status.kind).into() } else { status.kind.to_string() }.dim()),
            ])
        });
        let titles = ["RECORD", "VALUE", "TREND", "RATE/s", "PRODUCED", "HELD", "LAG", "BUFFER"];
        let header = titles.into_iter().zip(0..).map(|(title, column)| {
            let title = Line::from(title);
            if (3..7).contains(&column) { title.right_aligned() } else { title }
        });
        let table = Table::new(rows, widths).header(Row::new(header).style(heading())).column_spacing(1);
        frame.render_widget(table, inset(area));
    }

    /// How the broker and the connection to it are doing, and how to look on.
    fn broker(&self, width: usize) -> Vec<Line<'_>> {
        let (Some(mqtt), Some(connector)) = (&self.about.mqtt, self.connectors.first()) else { return Vec::new() };
        let count = |direction: LinkDirection, count: fn(&LinkStatus) -> u64| -> u64 {
            self.links.iter().filter(|link| link.direction == direction).map(count).sum()
        };
        let (came, went) =
            (count(LinkDirection::In, |link| link.values), count(LinkDirection::Out, |link| link.values));
        let dropped = count(LinkDirection::Out, |link| link.dropped);
        let kept: usize = self.links.iter().map(|link| link.kept).sum();
        let state = match connector.state {
            ConnectionState::Online => "connected".fg(GOOD),
            ConnectionState::Offline => "no connection".fg(OVER).bold(),
        };
        let place = if mqtt.is_in_process() { " (in this process)" } else { "" };
        let mut first = vec![Span::styled("MQTT  ", heading()), state, " to ".dim(), connector.peer.as_str().into()];
        if width >= 100 {
            first.push(place.dim());
        }
        first.push(format!("  out {went}  in {came}  under way {}", connector.in_flight).into());
        if kept > 0 {
            first.push(format!("  kept {kept}").fg(NEAR));
        }
        if dropped > 0 {
            first.push(format!("  dropped {dropped}").fg(NEAR));
        }
        if connector.connects > 1 {
            first.push(format!("  connects {}", connector.connects).dim());
        }
        let trouble = match (connector.state, &connector.last_error, &self.failure) {
            (ConnectionState::Offline, Some(why), _) => Some(why),
            (_, _, Some((at, why))) if self.up.saturating_sub(*at) < FAILURE_SHOWN => Some(why),
            _ => None,
        };
        let second = match trouble {
            Some(why) => Line::from(format!("      {why}").fg(OVER)),
            None => Line::from(format!("look: {}", mqtt.how_to_look()).dim()),
        };
        let mut lines = vec![Line::from(first), second];
        if width >= 100 {
            lines.push(Line::from(format!("set:  {}", mqtt.how_to_command()).dim()));
        }
        lines
    }

    /// How much is kept, and where.
    fn store(&self) -> Option<Line<'_>> {
        let ((extent, lost), past) = (self.kept?, self.about.past.as_ref()?);
        let mut line = vec![Span::styled("STORE  ", heading()), extent.in_words().into()];
        if lost > 0 {
            line.push(format!("  lost {lost}").fg(NEAR));
        }
        line.push(format!("  in {}", past.directory.display()).dim());
        Some(Line::from(line))
    }

    /// The limits that hold now.
    fn limits(&self) -> Limits {
        match self.seen.get(flow::LIMITS) {
            Some(Watched { newest: Value::Limits(limits), .. }) => *limits,
            _ => self.about.limits,
        }
    }

    /// The blocks of a record, in the colours of its limit.
    fn trend(&self, record: &str, seen: &Watched, width: u16) -> Line<'static> {
        let limits = self.limits();
        let limit = match record {
            flow::CPU => limits.cpu_percent,
            flow::MEMORY => limits.memory_percent,
            flow::DISK => limits.disk_percent,
            flow::TEMPERATURE => limits.celsius,
            flow::LEVELS | flow::SMOOTH => 100.0, // per cent of their limits
            flow::ALERTS | flow::LIMITS | flow::COMMANDS => return Line::default(),
            _ => f64::INFINITY,
        };
        let colour = |number: f64| match number {
            over if over > limit => OVER,
            near if near > 0.8 * limit => NEAR,
            _ if limit.is_infinite() => Color::Cyan,
            _ => GOOD,
        };
        let mut spans: Vec<Span<'static>> = Vec::new();
        let blocks: Vec<_> = seen.trend.blocks(usize::from(width)).collect();
        spans.push(" ".repeat(usize::from(width) - blocks.len()).into());
        spans.extend(blocks.into_iter().map(|(block, number)| block.to_string().fg(colour(number))));
        Line::from(spans)
    }

    fn draw_services(&self, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.height.saturating_sub(1));
        let all = self.services.len();
        let shown = if all > room { room.saturating_sub(1) } else { all };
        let rows = self.services.iter().take(shown).map(|service| {
            let phase = service.phase.to_string();
            let phase = match service.phase {
                ServicePhase::Running => phase.fg(GOOD),
                ServicePhase::BackingOff => phase.fg(NEAR),
                ServicePhase::Failed | ServicePhase::Panicked => phase.fg(OVER).bold(),
                _ => phase.dim(),
            };
            let restarts = Line::from(service.restarts.to_string()).right_aligned();
            let error = match &service.last_error {
                Some(error) => error.clone().fg(OVER),
                None => "–".dim(),
            };
            Row::new([
                Line::from(service.name.as_str().bold()),
                Line::from(phase),
                if service.restarts > 0 { restarts.fg(NEAR) } else { restarts.dim() },
                Line::from(error),
            ])
        });
        let hidden = (all > shown).then(|| {
            Row::new([
                Line::from(format!("… {} more", all - shown).dim()),
                Line::default(),
                Line::default(),
                Line::default(),
            ])
        });
        let widths = [Constraint::Length(26), Constraint::Length(11), Constraint::Length(8), Constraint::Min(10)];
        let titles = ["SERVICE", "PHASE", "RESTARTS", "LAST ERROR"].map(Line::from);
        let header = Row::new(titles).style(heading());
        let table = Table::new(rows.chain(hidden), widths).header(header).column_spacing(1);
        frame.render_widget(table, inset(area));
    }

    fn draw_alerts(&self, frame: &mut Frame<'_>, area: Rect) {
        let mut lines = vec![Line::from(format!("ALERTS  {} raised", self.raised)).style(heading())];
        let Limits { cpu_percent, memory_percent, disk_percent, celsius } = self.limits();
        if self.alerts.is_empty() {
            let mut limits =
                format!("none: smoothed, cpu ≤ {cpu_percent} %, memory ≤ {memory_percent} %, disk ≤ {disk_percent} %");
            if self.seen.contains_key(flow::TEMPERATURE) {
                limits.push_str(&format!(", temperature ≤ {celsius} °C"));
            }
            lines.push(Line::from(limits.dim()));
        }
        lines.extend(self.alerts.iter().map(|(time, alert)| {
            let (sign, colour) = match alert.state {
                AlertState::Raised => ("▲ ", OVER),
                AlertState::Cleared => ("▼ ", GOOD),
            };
            Line::from(vec![
                format!("{} ", time.clock()).dim(),
                sign.fg(colour),
                Span::styled(alert.to_string(), Style::new().fg(colour)),
            ])
        }));
        frame.render_widget(Paragraph::new(lines), inset(area));
    }

    fn draw_graph(&self, frame: &mut Frame<'_>, area: Rect) {
        let list = |names: &[String], none: &'static str| if names.is_empty() { none.into() } else { names.join(", ") };
        let (source, target) = ("this machine", "–");
        let ends = |s: &GraphService| match s.kind {
            GraphServiceKind::Link => [list(&s.reads, source), s.name.clone(), "broker".into()],
            _ => [list(&s.reads, source), s.name.clone(), list(&s.writes, target)],
        };
        let inbound = self.graph.inbound.iter();
        let inbound = inbound.map(|link| ["broker".into(), link.address.to_string(), link.record.to_string()]);
        let (kept, others): (Vec<_>, Vec<_>) =
            self.graph.services.iter().partition(|service| service.kind == GraphServiceKind::Keep);
        let kept: Vec<&str> = kept.iter().flat_map(|service| &service.reads).map(String::as_str).collect();
        let kept = (!kept.is_empty()).then(|| [format!("{} records", kept.len()), "keep".into(), "store".into()]);
        let services: Vec<[String; 3]> = others.into_iter().map(ends).chain(inbound).chain(kept).collect();
        let width = |column: usize| services.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (from, by) = (width(0).max(12), width(1).max(10));
        let mut lines = vec![
            Line::from(format!("{:<from$}    {:<by$}    {}", "RECORDS", "SERVICE OR LINK", "RECORDS")).style(heading()),
        ];
        lines.extend(services.iter().map(|[reads, name, writes]| {
            Line::from(vec![
                Span::from(format!("{reads:<from$}")),
                " ─▶ ".dim(),
                format!("{name:<by$}").bold().fg(Color::Cyan),
                " ─▶ ".dim(),
                Span::from(writes.clone()),
            ])
        }));
        lines.push(Line::default());
        lines.push(Line::from("`anabranch demo --graph` prints this as Mermaid text.".dim()));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inset(area));
    }
}

/// `text` in at most `room` columns, cut between words.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    let kept = kept.rsplit_once(' ').map_or("", |(whole, _)| whole).trim_end_matches(',');
    if kept.is_empty() { String::new() } else { format!("{kept}…") }
}

fn short_name(kind: BufferKind) -> &'static str {
    match kind {
        BufferKind::SpmcRing => "ring",
        BufferKind::SingleLatest => "latest",
        BufferKind::Mailbox => "mailbox",
        BufferKind::Queue => "queue",
    }
}

fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn heading() -> Style {
    Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD)
}

/// A column free at each side.
fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// How fast values come: counted between the moments at which some came, so that when it is looked does not matter.
#[derive(Debug, Clone, Default)]
struct Pace {
    changes: VecDeque<(Duration, u64)>,
}

/// Over what time a pace is counted.
const PACE: Duration = Duration::from_secs(10);

impl Pace {
    fn look(&mut self, now: Duration, produced: u64) {
        if self.changes.back().is_none_or(|(_, before)| *before != produced) {
            self.changes.push_back((now, produced));
        }
        while self.changes.len() > 2 && self.changes.front().is_some_and(|(then, _)| *then + PACE < now) {
            self.changes.pop_front();
        }
    }

    fn a_second(&self, now: Duration) -> f64 {
        let (Some((begin, first)), Some((end, last))) = (self.changes.front(), self.changes.back()) else { return 0.0 };
        let gaps = u32::try_from(self.changes.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
        // When nothing came for longer than usual, the silence counts, too.
        let silent = now.saturating_sub(*end) > 2 * (end.saturating_sub(*begin) / gaps);
        let passed = if silent { now } else { *end }.saturating_sub(*begin).as_secs_f64();
        if passed > 0.0 { (last - first) as f64 / passed } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fs};

    use anabranch::prelude::*;
    use anabranch_sim::Sim;
    use ratatui::{
        Terminal,
        backend::TestBackend,
        buffer::{Buffer, Cell},
    };

    use super::*;
    use crate::{
        mqtt::Topics,
        readings::{Command, Cpu, Crossing, Disk, Level, Load, Memory, Network, Reading, Temperature},
        scripted::{self, Machine, OPTIONS, Written},
    };

    #[derive(Debug, thiserror::Error)]
    #[error("the fan does not turn; clean it")]
    struct Stuck;

    /// A service that fails whenever it runs.
    #[service(restart = "on-failure", backoff = "1s", max_backoff = "8s")]
    async fn cooling<R: Runtime>(_ctx: RuntimeContext<R>) -> Result<(), Stuck> {
        Err(Stuck)
    }

    /// A screen after half a minute in which a processor gets busy and calm again, over a limit that came from outside.
    fn screen() -> Screen {
        let mut sim = Sim::new(7);
        let adapter = sim.adapter();
        let screen = sim.block_on(async move {
            let begin = adapter.now();
            let broker = scripted::broker(&adapter);
            let builder = Anabranch::builder().runtime(adapter.clone()).with_connector(scripted::connector());
            let topics = Topics::of("workshop");
            let machine = Machine::with_links(builder.with_service(Cooling::of()), OPTIONS, Some(&topics)).await?;
            let db = &machine.db;
            let about = About {
                machine: "workshop".into(),
                every: Duration::from_secs(1),
                limits: OPTIONS.limits,
                mqtt: Some(Mqtt::through("mqtt://broker", topics)),
                past: None,
                note: Some("something to be said once".into()),
            };
            let mut screen = Screen::new(about, db.graph().clone());
            let (mut cpu, mut memory) =
                (db.consumer::<Reading<Cpu>>("cpu")?, db.consumer::<Reading<Memory>>("memory")?);
            let (mut disk, mut network) =
                (db.consumer::<Reading<Disk>>("disk")?, db.consumer::<Reading<Network>>("network")?);
            let (mut temperature, mut load) =
                (db.consumer::<Reading<Temperature>>("temperature")?, db.consumer::<Reading<Load>>("load")?);
            let (mut levels, mut smooth) =
                (db.consumer::<Reading<Level>>("levels")?, db.consumer::<Reading<Level>>("smooth")?);
            let mut alerts = db.consumer::<Reading<Alert>>("alerts")?;
            let (mut limits, mut commands) =
                (db.consumer::<Reading<Limits>>("limits")?, db.consumer::<Command>("commands")?);
            let (mut returned, mut crossing) =
                (db.consumer::<Reading<Cpu>>("returned")?, db.consumer::<Reading<Crossing>>("crossing")?);
            db.start();
            broker.publish("anabranch/workshop/limits/set", r#"{"cpu":85}"#, 1, true)?;
            for second in 0..30_u32 {
                if second == 10 {
                    broker.publish("anabranch/workshop/limits/set", r#"{"cpu":500}"#, 1, false)?;
                }
                let busy = if (5..20).contains(&second) { 97.3 } else { 3.4 };
                let second = f64::from(second);
                machine.measure(Written { cpu: busy, memory: 30.0 + second, celsius: 40.0 + second }).await;
                adapter.sleep(Duration::from_millis(50)).await;
                macro_rules! show {
                    ($($record:literal $consumer:ident),*) => {$(
                        while let Ok(Reading { time, value }) = $consumer.try_recv() {
                            screen.seen(Seen { record: $record, time, value: value.into() });
                        }
                    )*};
                }
                show!("cpu" cpu, "memory" memory, "disk" disk, "network" network, "temperature" temperature);
                show!("load" load, "levels" levels, "smooth" smooth, "alerts" alerts);
                show!("limits" limits, "returned" returned, "crossing" crossing);
                while let Ok(command) = commands.try_recv() {
                    let time = Timestamp::from_unix(adapter.unix_time().unwrap_or_default());
                    screen.seen(Seen { record: "commands", time, value: command.into() });
                }
                screen.look(adapter.now().since(begin), db);
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(screen)
        });
        screen.unwrap().unwrap()
    }

    fn drawn(screen: &Screen, (width, height): (u16, u16), paused: bool) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame, paused)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer) -> String {
        let lines = buffer.content().chunks(usize::from(buffer.area.width));
        lines.map(|line| line.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned() + "\n").collect()
    }

    /// Compares with what was drawn before. `ANABRANCH_BLESS=1 cargo test` takes what is drawn now; look at it.
    fn as_before(name: &str, drawn: &str) {
        let path = format!("{}/src/view/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("ANABRANCH_BLESS").is_some() {
            fs::write(&path, drawn).unwrap();
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(drawn, before, "{name} is drawn otherwise; if that is meant, run with ANABRANCH_BLESS=1");
    }

    #[test]
    fn the_view_fits_into_80_by_24() {
        as_before("80x24", &text(&drawn(&screen(), (80, 24), false)));
    }

    #[test]
    fn a_larger_terminal_shows_details_and_longer_trends() {
        as_before("120x40", &text(&drawn(&screen(), (120, 40), false)));
    }

    #[test]
    fn the_graph_is_a_page_of_its_own() {
        let screen = Screen { page: Page::Graph, ..screen() };
        as_before("graph", &text(&drawn(&screen, (80, 24), true)));
    }

    #[test]
    fn nothing_seen_yet_can_be_drawn_in_every_size() {
        let empty = Screen { seen: BTreeMap::new(), records: Vec::new(), services: Vec::new(), ..screen() };
        let (full, graph) = (screen(), Screen { page: Page::Graph, ..screen() });
        for width in (0..=130).step_by(13) {
            for height in 0..=45 {
                for screen in [&empty, &full, &graph] {
                    drawn(screen, (width, height), false);
                }
            }
        }
        assert!(text(&drawn(&full, (60, 10), false)).contains("too small"));
    }

    #[test]
    fn a_broker_that_is_not_there_is_said_with_the_reason_and_so_is_what_makes_no_sense() {
        let mut screen = screen();
        let wrong = screen.failure.take().map(|(_, why)| why).expect("a command was refused");
        assert!(wrong.contains("limits/set: cpu cannot be limited to 500"), "{wrong}");
        screen.failure = Some((screen.up, wrong.clone()));
        let lines = text(&drawn(&screen, (120, 40), false));
        assert!(lines.contains("connected to mqtt://broker") && lines.contains(&wrong), "{lines}");
        screen.up += FAILURE_SHOWN;
        assert!(!text(&drawn(&screen, (120, 40), false)).contains(&wrong));
        let why = "the connection was refused";
        for connector in &mut screen.connectors {
            (connector.state, connector.last_error) = (ConnectionState::Offline, Some(why.into()));
        }
        let lines = text(&drawn(&screen, (120, 40), false));
        assert!(lines.contains("no connection to mqtt://broker") && lines.contains(why), "{lines}");
    }

    #[test]
    fn what_is_kept_and_what_a_demo_before_saw_is_shown() {
        let mut sim = Sim::new(7);
        let adapter = sim.adapter();
        let now = anabranch::keep::clock(&adapter);
        let memory = anabranch::store::Memory::new();
        let store = anabranch::store::Store::open(memory, anabranch::store::Options::new(now)).unwrap();
        let (begun, graph) = sim
            .block_on(async move {
                let builder = Anabranch::builder().runtime(adapter).with_store(store.clone());
                let machine = Machine::new(builder, crate::flow::Options { keep: true, ..OPTIONS }).await?;
                machine.db.start();
                for second in 0..10 {
                    machine.measure(Written { cpu: 97.0, memory: 30.0 + f64::from(second), celsius: 40.0 }).await;
                }
                let _ = machine.db.shutdown(Duration::from_secs(10)).await;
                assert!(machine.db.keeps().iter().all(|keep| keep.lost + keep.failed == 0), "{:?}", machine.db.keeps());
                Ok::<_, Box<dyn Error + Send + Sync>>((
                    Past::of(store, "/home/me/demo".into()),
                    machine.db.graph().clone(),
                ))
            })
            .unwrap()
            .unwrap();
        let recalled = begun.recalled();
        for record in ["cpu", "memory", "disk", "network", "temperature", "load", "levels", "smooth", "alerts"] {
            assert!(recalled.iter().any(|seen| seen.record == record), "nothing of {record}");
        }
        assert!(recalled.is_sorted_by_key(|seen| seen.time));
        let mut screen = screen();
        screen.alerts.clear();
        recalled.into_iter().for_each(|seen| screen.recall(seen));
        assert_eq!(screen.raised, 1, "those before are not counted again");
        screen.about.past = Some(begun);
        screen.kept = Some((Extent { versions: 1234, disk_bytes: 3 << 20, ..Extent::default() }, 2));
        let lines = text(&drawn(&screen, (120, 40), false));
        assert!(
            lines.contains("STORE  1234 versions (86,400 a key at most), 3.0 MiB on disk  lost 2  in /home/me/demo"),
            "{lines}"
        );
        assert!(lines.contains("▲ cpu is above 80 %"), "{lines}");
        let graph = Screen { page: Page::Graph, graph, ..screen };
        let lines = text(&drawn(&graph, (120, 40), false));
        assert!(lines.contains("10 records") && lines.contains("store"), "{lines}");
    }

    #[test]
    fn what_is_over_its_limit_is_red() {
        let buffer = drawn(&screen(), (120, 40), false);
        let colours = |symbol: &str| {
            let cells = buffer.content().iter().filter(|cell| cell.symbol() == symbol);
            cells.map(|cell| cell.fg).collect::<Vec<_>>()
        };
        assert_eq!(colours("▲"), [OVER]);
        assert_eq!(colours("▼"), [GOOD]);
        assert!(colours("█").contains(&OVER));
    }

    #[test]
    fn a_pace_does_not_depend_on_when_it_is_looked_at_and_sinks_in_silence() {
        let mut pace = Pace::default();
        for quarter in 0..40_u32 {
            pace.look(Duration::from_millis(250) * quarter, u64::from(quarter / 4));
        }
        let last = Duration::from_millis(9750);
        assert!((pace.a_second(last) - 1.0).abs() < 0.01, "{}", pace.a_second(last));
        assert!(pace.a_second(last + Duration::from_secs(9)) < 0.6);
    }

    #[test]
    fn details_are_cut_between_words() {
        assert_eq!(cut("184 of 252 GiB on /, reads", 26), "184 of 252 GiB on /, reads");
        assert_eq!(cut("184 of 252 GiB on /, reads", 22), "184 of 252 GiB on /…");
        assert_eq!(cut("coretemp", 4), "");
    }
}
