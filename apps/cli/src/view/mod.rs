//! The live view: what keys do, and the terminal it is drawn on.

mod screen;
mod terminal;
mod trend;

use std::{io, ops::ControlFlow, time::Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::sync::mpsc::Sender;

use crate::{
    demo::{Database, Event, Output},
    readings::Seen,
};
pub use screen::About;
use screen::{Page, Screen};
use terminal::Terminal;

/// The view of one database on one terminal.
pub struct View {
    terminal: Terminal,
    screen: Screen,
    /// What is shown instead while it is paused; the screen itself goes on.
    paused: Option<Screen>,
    opened: Instant,
}

impl View {
    /// Takes the terminal, which is given back when the view is dropped or panics.
    ///
    /// # Errors
    /// When the output is no terminal that can be drawn on.
    pub fn open(about: About, db: &Database, events: Sender<Event>) -> io::Result<Self> {
        let screen = Screen::new(about, db.graph().clone());
        Ok(View { terminal: Terminal::open(events)?, screen, paused: None, opened: Instant::now() })
    }

    /// Takes a value that a demo before this one saw.
    pub fn recall(&mut self, seen: Seen) {
        self.screen.recall(seen);
    }

    fn draw(&mut self) -> io::Result<()> {
        let (shown, paused) = match &self.paused {
            Some(then) => (then, true),
            None => (&self.screen, false),
        };
        self.terminal.draw(|frame| shown.draw(frame, paused))
    }
}

impl Output for View {
    fn seen(&mut self, seen: Seen) -> io::Result<()> {
        self.screen.seen(seen);
        Ok(()) // drawn with the next tick
    }

    fn tick(&mut self, db: &Database) -> io::Result<()> {
        self.screen.look(self.opened.elapsed(), db);
        self.draw()
    }

    fn key(&mut self, key: KeyEvent) -> io::Result<ControlFlow<()>> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Ok(ControlFlow::Break(())),
            KeyCode::Char('q') => return Ok(ControlFlow::Break(())),
            KeyCode::Char('p') => {
                self.paused = match self.paused {
                    Some(_) => None,
                    None => Some(self.screen.clone()),
                };
            }
            KeyCode::Char('g') => self.turn(|page| if page == Page::Flow { Page::Graph } else { Page::Flow }),
            KeyCode::Esc => self.turn(|_| Page::Flow),
            _ => {}
        }
        self.draw()?;
        Ok(ControlFlow::Continue(()))
    }
}

impl View {
    fn turn(&mut self, to: impl Fn(Page) -> Page) {
        self.screen.page = to(self.screen.page);
        if let Some(paused) = &mut self.paused {
            paused.page = self.screen.page;
        }
    }
}
