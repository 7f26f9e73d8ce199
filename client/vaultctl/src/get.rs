//! What `blob get` and `file get` have in common: how much of the content, and where it goes.

mod range;

use std::path::PathBuf;

use serde_json::Value;
use vault_client::{Client, ContentRange};

use self::range::Range;
use crate::{
    archive::is_stdin,
    context::Context,
    failure::Failure,
    interrupt,
    newfile::{NewFile, Target},
    output,
    transfer::{self, Download},
};

/// Something that has content.
pub(crate) trait Source {
    /// The word for it.
    const WHAT: &'static str;

    /// Bytes of all of it.
    async fn size(&self, client: &Client) -> Result<u64, Failure>;
    /// Begins to read some of it.
    async fn download(
        &self,
        client: &Client,
        range: ContentRange,
    ) -> Result<impl Described, Failure>;
}

/// Content on its way, with what is known of it.
pub(crate) trait Described: Download {
    fn content_type(&self) -> &str;
    fn as_json(&self) -> Value;
}

#[derive(clap::Args, Debug)]
pub(crate) struct Get<S: Source + clap::Args> {
    #[command(flatten)]
    one: S,
    /// Write it to this file, whole or not at all [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, requires = "output")]
    force: bool,
    /// Some of its bytes: A-B (from 0 on, both included), A- (from there on) or -N (the last N)
    #[arg(long, allow_hyphen_values = true)]
    range: Option<Range>,
}

impl<S: Source + clap::Args> Get<S> {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let path = self.output.clone().filter(|path| !is_stdin(path));
        let Some(path) = path else {
            return self.print(context).await;
        };
        let target = Target::new(path.clone(), self.force, context)?;
        let client = context.open().await?;
        let work = async {
            let download = self.begin(&client).await?;
            let (mut json, size) = (download.as_json(), download.size());
            let mut new = target.create()?;
            transfer::write(download, &mut new).await?;
            new.keep()?;
            if context.json() {
                json["file"] = serde_json::json!(path);
                json["written"] = size.into();
                return output::json(&json);
            }
            Ok(())
        };
        interrupt::guarded("no file was written", work).await
    }

    async fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json() {
            return Err(Failure::usage(format!(
                "--json and the {} cannot both go to standard output: use -o FILE, or stat",
                S::WHAT
            )));
        }
        let client = context.open().await?;
        let download = self.begin(&client).await?;
        transfer::check_terminal(download.content_type())?;
        transfer::write(download, &mut NewFile::Stdout).await
    }

    async fn begin(&self, client: &Client) -> Result<impl Described, Failure> {
        let range = match self.range {
            None => ContentRange::default(),
            Some(Range::From(range)) => range,
            Some(last) => last.of(self.one.size(client).await?),
        };
        self.one.download(client, range).await
    }
}
