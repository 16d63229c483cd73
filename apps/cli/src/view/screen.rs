//! What the view shows, as data, and how it is drawn. It knows no terminal and no clock, so that a test can draw it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anabranch::{BufferKind, Graph, RecordStatus, ServicePhase, ServiceStatus};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Paragraph, Row, Table, Wrap},
};

use super::trend::Trend;
use crate::{
    flow::{self, Limits},
    readings::{Alert, AlertState, Seen, Value},
    timestamp::Timestamp,
};

/// What does not change while the view is there.
#[derive(Debug, Clone)]
pub struct About {
    pub machine: String,
    pub every: Duration,
    pub limits: Limits,
    /// Something to be said once.
    pub note: Option<&'static str>,
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
    seen: BTreeMap<&'static str, Watched>,
    paces: BTreeMap<String, Pace>,
    alerts: VecDeque<(Timestamp, Alert)>,
    raised: u64,
}

/// A record's newest value, and how it came to it.
#[derive(Debug, Clone)]
struct Watched {
    time: Timestamp,
    newest: Value,
    trend: Trend,
}

/// The smallest terminal that shows something of everything.
const LEAST: (u16, u16) = (72, 18);
const MOST_ALERTS: usize = 50;
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
            seen: BTreeMap::new(),
            paces: BTreeMap::new(),
            alerts: VecDeque::new(),
            raised: 0,
        }
    }

    /// Takes a value that passed through a record.
    pub fn seen(&mut self, Seen { record, time, value }: Seen) {
        if let Value::Alert(alert) = &value {
            self.raised += u64::from(alert.state == AlertState::Raised);
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
    pub fn look(&mut self, up: Duration, mut records: Vec<RecordStatus>, services: Vec<ServiceStatus>) {
        records.sort_by_key(|record| flow::IN_ORDER.iter().position(|name| *name == record.name));
        for record in &records {
            self.paces.entry(record.name.clone()).or_default().look(up, record.status.produced);
        }
        (self.up, self.records, self.services) = (up, records, services);
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
        if let Some(note) = self.about.note {
            keys.push(note.dim().italic());
        }
        Line::from(keys)
    }

    fn draw_flow(&self, frame: &mut Frame<'_>, area: Rect) {
        let (records, services) = (rows(self.records.len()) + 1, rows(self.services.len()) + 1);
        // Empty lines between the parts where there is room for them, and what is left goes to the alerts.
        let gap = u16::from(area.height >= records + services + 5);
        let services = services.min(area.height.saturating_sub(records + 2 * gap + 2));
        let parts = [records, gap, services, gap].map(Constraint::Length);
        let [records, _, services, _, alerts] =
            Layout::vertical(parts.into_iter().chain([Constraint::Min(0)])).areas(area);
        self.draw_records(frame, records);
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

    /// The blocks of a record, in the colours of its limit.
    fn trend(&self, record: &str, seen: &Watched, width: u16) -> Line<'static> {
        let limits = &self.about.limits;
        let limit = match record {
            flow::CPU => limits.cpu_percent,
            flow::MEMORY => limits.memory_percent,
            flow::DISK => limits.disk_percent,
            flow::TEMPERATURE => limits.celsius,
            flow::LEVELS | flow::SMOOTH => 100.0, // per cent of their limits
            flow::ALERTS => return Line::default(),
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
        let Limits { cpu_percent, memory_percent, disk_percent, celsius } = self.about.limits;
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
        let services: Vec<[String; 3]> = (self.graph.services.iter())
            .map(|s| [list(&s.reads, "this machine"), s.name.clone(), list(&s.writes, "–")])
            .collect();
        let width = |column: usize| services.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (from, by) = (width(0).max(12), width(1).max(10));
        let mut lines =
            vec![Line::from(format!("{:<from$}     {:<by$}     {}", "RECORDS", "SERVICE", "RECORDS")).style(heading())];
        lines.extend(services.iter().map(|[reads, name, writes]| {
            Line::from(vec![
                Span::from(format!("{reads:<from$}")),
                " ──▶ ".dim(),
                format!("{name:<by$}").bold().fg(Color::Cyan),
                " ──▶ ".dim(),
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
