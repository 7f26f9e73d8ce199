//! What is typed at the prompt, or read where there is none.

use std::{
    io::{self, IsTerminal as _},
    thread,
};

use rustyline::{Editor, error::ReadlineError, history::MemHistory};
use tokio::sync::{mpsc, oneshot};

use super::complete::{Helper, Names};
use crate::{db::split, failure::Failure};

/// One thing that was typed.
pub(super) enum Entry {
    /// Statements, all of them complete, or a command that begins with a `.`.
    Text(String),
    /// Ctrl-C: what was typed is not meant.
    Interrupted,
    /// There is nothing more.
    End,
}

/// What the thread that owns the terminal is asked for.
struct Request {
    prompt: String,
    /// What is completed from now on, where it changed.
    names: Option<Names>,
    reply: oneshot::Sender<Result<Entry, Failure>>,
}

/// Where entries come from. They are read on a thread of their own, since that blocks.
pub(super) struct Entries {
    requests: mpsc::Sender<Request>,
    interactive: bool,
}

impl Entries {
    pub(super) fn new() -> Self {
        let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
        let (requests, receiver) = mpsc::channel(1);
        thread::spawn(move || {
            if interactive {
                edit(receiver);
            } else {
                read(receiver);
            }
        });
        Self {
            requests,
            interactive,
        }
    }

    /// Whether a person types.
    pub(super) fn interactive(&self) -> bool {
        self.interactive
    }

    /// The next entry.
    pub(super) async fn next(
        &mut self,
        prompt: &str,
        names: Option<Names>,
    ) -> Result<Entry, Failure> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            prompt: prompt.to_owned(),
            names,
            reply,
        };
        let gone = || Failure::other("the terminal cannot be read");
        self.requests.send(request).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Whether an entry can be run as it stands.
pub(super) fn is_complete(text: &str) -> bool {
    text.trim_start().starts_with('.') || split::split(text).rest.is_empty()
}

/// Serves requests from an editor on the terminal.
fn edit(mut requests: mpsc::Receiver<Request>) {
    let config = rustyline::Config::builder()
        .completion_type(rustyline::CompletionType::List)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::<Helper, MemHistory>::with_history(config, history);
    if let Ok(editor) = &mut editor {
        editor.set_helper(Some(Helper::default()));
    }
    while let Some(request) = requests.blocking_recv() {
        let entry = match &mut editor {
            Ok(editor) => edit_one(editor, &request.prompt, request.names),
            Err(error) => Err(unreadable(error)),
        };
        // Nobody waits for it where the shell has ended.
        let _ = request.reply.send(entry);
    }
}

fn unreadable(error: &ReadlineError) -> Failure {
    Failure::other(format!("the terminal cannot be read: {error}"))
}

fn edit_one(
    editor: &mut Editor<Helper, MemHistory>,
    prompt: &str,
    names: Option<Names>,
) -> Result<Entry, Failure> {
    if let (Some(helper), Some(names)) = (editor.helper_mut(), names) {
        helper.names = names;
    }
    match editor.readline(prompt) {
        Ok(text) => {
            if !text.trim().is_empty() {
                let added = editor.add_history_entry(text.as_str());
                added.map_err(|error| unreadable(&error))?;
            }
            Ok(Entry::Text(text))
        }
        Err(ReadlineError::Interrupted) => Ok(Entry::Interrupted),
        Err(ReadlineError::Eof) => Ok(Entry::End),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Serves requests from standard input that is no terminal.
fn read(mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.blocking_recv() {
        let _ = request.reply.send(read_one());
    }
}

/// Lines until they are complete; the last statement may do without its `;`.
fn read_one() -> Result<Entry, Failure> {
    let mut text = String::new();
    loop {
        if io::stdin().read_line(&mut text)? == 0 {
            return Ok(if text.trim().is_empty() {
                Entry::End
            } else {
                Entry::Text(text)
            });
        }
        if is_complete(&text) {
            return Ok(Entry::Text(text));
        }
    }
}
