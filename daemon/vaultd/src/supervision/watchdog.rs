//! The watchdog is fed by answers, not by a clock: a daemon that runs and answers nobody is restarted.

use std::time::Duration;

/// Asks again and again, and feeds once for each answer that came in time. Never ends.
///
/// Of the time after which the service manager loses patience, an answer may take half, and a quarter
/// is waited before the next question: a daemon that is merely slow keeps its life.
pub(super) async fn feed<F, E>(interval: Duration, ask: impl Fn() -> F, feed: impl Fn())
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    loop {
        match tokio::time::timeout(interval / 2, ask()).await {
            Ok(Ok(())) => feed(),
            Ok(Err(error)) => tracing::error!("the daemon does not answer itself: {error}"),
            Err(_) => tracing::error!("the daemon does not answer itself in time"),
        }
        tokio::time::sleep(interval / 4).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future, rc::Rc};

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);

    /// Feeds by answers as `answers` has them, one by one; how often it fed until the last was given.
    async fn fed(answers: &[Option<Result<(), &'static str>>]) -> usize {
        let (asked, fed) = (Rc::new(Cell::new(0)), Cell::new(0));
        let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let ask = || {
            let answer = answers.get(asked.replace(asked.get() + 1)).copied();
            let done = done.clone();
            async move {
                match answer {
                    Some(Some(answer)) => answer,
                    Some(None) => future::pending().await,
                    None => {
                        let _ = done.send(());
                        future::pending().await
                    }
                }
            }
        };
        tokio::select! {
            () = feed(INTERVAL, ask, || fed.set(fed.get() + 1)) => {}
            _ = ended.recv() => {}
        }
        fed.get()
    }

    #[tokio::test]
    async fn an_answer_in_time_feeds_it_and_nothing_else_does() {
        assert_eq!(fed(&[Some(Ok(())); 3]).await, 3);
        assert_eq!(fed(&[Some(Err("refused")); 3]).await, 0);
        assert_eq!(fed(&[None; 3]).await, 0, "time alone does not");
        assert_eq!(
            fed(&[None, Some(Ok(())), Some(Err("x")), Some(Ok(()))]).await,
            2
        );
    }
}
