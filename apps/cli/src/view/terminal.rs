//! The terminal: taken when it is opened, and given back as it was, at the end and in a panic.

use std::{
    io::{self, Stdout, stdout},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ratatui::{
    Frame,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event, execute,
        terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::sync::mpsc::Sender;

use crate::demo::Event;

pub struct Terminal {
    terminal: ratatui::Terminal<CrosstermBackend<Stdout>>,
    /// Whether keys are still wanted.
    open: Arc<AtomicBool>,
}

impl Terminal {
    pub fn open(events: Sender<Event>) -> io::Result<Self> {
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(stdout()))?;
        // From here on dropping it gives the terminal back, wherever this fails.
        let terminal = Terminal { terminal, open: Arc::new(AtomicBool::new(true)) };
        TAKEN.store(true, Ordering::Relaxed);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        give_back_in_a_panic();
        let open = terminal.open.clone();
        thread::Builder::new().name("keys".into()).spawn(move || read_keys(&open, &events))?;
        Ok(terminal)
    }

    pub fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(frame).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        give_back();
    }
}

/// Whether the terminal is to be given back. A process has one.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, once: what a panic then says on it stays.
fn give_back() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    // Nothing more can be done for a terminal that takes nothing.
    let _ = disable_raw_mode();
    // Cleared first, since a terminal that was resized meanwhile may keep some of what it cannot put anywhere.
    let _ = execute!(stdout(), Clear(ClearType::All), LeaveAlternateScreen, Show);
}

/// A panic of the view itself is shown on the terminal as it was before. One of a service ends that service's run alone:
/// its supervisor keeps the words, the view shows them, and the drawing goes on.
fn give_back_in_a_panic() {
    let viewer = thread::current().id();
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if thread::current().id() == viewer {
            give_back();
            report(panic);
        }
    }));
}

/// How long it may take until the thread sees that keys are not wanted any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// Waits for keys on a thread of its own, since a terminal can only be waited for by blocking.
fn read_keys(open: &AtomicBool, events: &Sender<Event>) {
    while open.load(Ordering::Relaxed) {
        let event = match event::poll(PATIENCE).and_then(|there| if there { event::read().map(Some) } else { Ok(None) })
        {
            Ok(None) => continue,
            Ok(Some(event::Event::Key(key))) if key.is_press() => Event::Key(key),
            Ok(Some(event::Event::Resize(..))) => Event::Tick,
            Ok(Some(_)) => continue,
            // The terminal is gone, and nobody could press a key to end.
            Err(_) => Event::Stop,
        };
        let last = matches!(event, Event::Stop);
        if events.blocking_send(event).is_err() || last {
            return;
        }
    }
}
