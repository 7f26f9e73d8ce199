//! `vaultctl store preset ...`.

use std::path::Path;

use vault_client::{
    AppliedStore, ApplyError, Client, Preset, PresetChoice, PresetContent, PresetError, PresetStore,
};

use crate::{context::Context, failure::Failure, input, output};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the presets that come with vaultctl
    Ls,
    /// Show what a preset creates
    Show(Show),
    /// Create the stores of a preset; again, to bring them up to date
    Apply(Apply),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    /// Name of a preset, or a TOML file (`-`: standard input)
    preset: String,
    /// Print its file, SQL included: what to begin a preset of your own with
    #[arg(long)]
    toml: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Apply {
    /// Name of a preset, or a TOML file (`-`: standard input)
    preset: String,
    /// Create the stores whose name holds the placeholder KEY, with VALUE in its place
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    values: Vec<(String, String)>,
    /// Create an optional store, too
    #[arg(long, value_name = "STORE")]
    with: Vec<String>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("use KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Ls => list(context),
            Self::Show(show) => show.run(context),
            Self::Apply(apply) => apply.run(context).await,
        }
    }
}

/// A preset by its name, or from a file.
fn find(name: &str) -> Result<Preset, Failure> {
    let mut known = Preset::built_in();
    if let Some(at) = known.iter().position(|preset| preset.name == name) {
        return Ok(known.swap_remove(at));
    }
    let file = Path::new(name);
    let is_file = name == "-" || file.extension().is_some_and(|end| end == "toml");
    if !is_file {
        let names: Vec<&str> = known.iter().map(|preset| preset.name.as_str()).collect();
        return Err(Failure::missing(format!(
            "there is no preset `{}`: there are `{}`, and a file of your own ends in .toml",
            name,
            names.join("`, `")
        )));
    }
    let bytes = input::whole(file, "preset")?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::usage(format!("preset {name} is not UTF-8 text")))?;
    Preset::parse(text).map_err(|error| Failure::usage(format!("preset {name}, {error}")))
}

fn list(context: &Context) -> Result<(), Failure> {
    let presets = Preset::built_in();
    if context.json() {
        for preset in &presets {
            output::json(&serde_json::json!({
                "name": preset.name,
                "description": preset.description,
                "stores": preset.stores.len(),
            }))?;
        }
        return Ok(());
    }
    let rows = presets.into_iter().map(|preset| {
        let stores = preset.stores.len().to_string();
        vec![preset.name, stores, preset.description]
    });
    output::table(
        &["PRESET", "STORES", "DESCRIPTION"],
        &rows.collect::<Vec<_>>(),
    )
}

impl Show {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let preset = find(&self.preset)?;
        if self.toml {
            return output::raw(preset.text().as_bytes());
        }
        if context.json() {
            return preset
                .stores
                .iter()
                .try_for_each(|store| output::json(&as_json(store)));
        }
        let rows: Vec<Vec<String>> = preset.stores.iter().map(as_row).collect();
        output::table(
            &["STORE", "KIND", "PROTECTION", "CLASS", "DESCRIPTION"],
            &rows,
        )?;
        for placeholder in &preset.placeholders {
            let (name, description) = (&placeholder.name, &placeholder.description);
            output::line(&format!("{{{name}}}: {description} (--set {name}=...)"))?;
        }
        Ok(())
    }
}

fn as_row(store: &PresetStore) -> Vec<String> {
    let protection = if store.content.plain() {
        "plain"
    } else {
        "protected"
    };
    let description = match store.description.as_str() {
        "" if store.optional => "(optional)".to_owned(),
        text if store.optional => format!("{text} (optional)"),
        text => text.to_owned(),
    };
    vec![
        store.name.as_str().to_owned(),
        store.content.kind().to_owned(),
        protection.to_owned(),
        store.class().as_str().to_owned(),
        description,
    ]
}

fn as_json(store: &PresetStore) -> serde_json::Value {
    let mut json = serde_json::json!({
        "store": store.name.as_str(),
        "kind": store.content.kind(),
        "plain": store.content.plain(),
        "size_class": store.class().as_str(),
        "optional": store.optional,
        "placeholder": store.name.placeholder(),
        "description": store.description,
    });
    if let PresetContent::Database(database) = &store.content {
        let columns = database.blob_columns.iter().map(ToString::to_string);
        json["schema_version"] = database.steps.len().into();
        json["extensible"] = database.extensible.into();
        json["maintenance"] = database.maintenance.into();
        json["blob_columns"] = columns.collect::<Vec<_>>().into();
    }
    json
}

impl Apply {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let preset = find(&self.preset)?;
        let choice = PresetChoice {
            values: self.values,
            with: self.with,
        };
        let chosen = preset.choose(&choice)?;
        let client: Client = context.open().await?;
        let mut application = client.apply_preset(chosen).await?;
        while let Some(applied) = application.next().await? {
            report(context, &applied)?;
        }
        if !context.json() {
            hint(&preset, &choice)?;
        }
        Ok(())
    }
}

fn report(context: &Context, applied: &AppliedStore) -> Result<(), Failure> {
    let columns: Vec<String> = applied.declared.iter().map(ToString::to_string).collect();
    if context.json() {
        return output::json(&serde_json::json!({
            "store": applied.name,
            "kind": applied.kind,
            "created": applied.created,
            "from_version": applied.schema.map(|(from, _)| from),
            "to_version": applied.schema.map(|(_, to)| to),
            "declared_blob_columns": columns,
        }));
    }
    let name = &applied.name;
    if applied.unchanged() {
        return output::line(&format!("unchanged {name}"));
    }
    let kind = applied.kind;
    match applied.schema {
        Some((_, to)) if applied.created => {
            output::line(&format!("created {name}, {kind}, schema version {to}"))?;
        }
        Some((from, to)) if from != to => {
            output::line(&format!(
                "migrated {name} from schema version {from} to {to}"
            ))?;
        }
        None => output::line(&format!("created {name}, {kind}"))?,
        Some(_) => {}
    }
    if !columns.is_empty() {
        let columns = columns.join(", ");
        output::line(&format!("declared blob refs of {name}: {columns}"))?;
    }
    Ok(())
}

/// Says what more the preset could create.
fn hint(preset: &Preset, choice: &PresetChoice) -> Result<(), Failure> {
    for store in &preset.stores {
        let name = store.name.as_str();
        match store.name.placeholder() {
            Some(key) if !choice.values.iter().any(|(given, _)| given == key) => {
                output::line(&format!("left out {name}: --set {key}=... creates one"))?;
            }
            None if store.optional && !choice.with.iter().any(|given| given == name) => {
                output::line(&format!("left out {name}: --with {name} creates it"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

impl From<PresetError> for Failure {
    fn from(error: PresetError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let message = error.to_string();
        match error {
            ApplyError::Conflict { .. } | ApplyError::SchemaNewer { .. } => Self::conflict(message),
            ApplyError::KindMissing { .. } | ApplyError::ColumnMissing { .. } => {
                Self::usage(message)
            }
            // The exit code of the refusal, under the message that names the store.
            ApplyError::Store { error, .. } => Self::from(error).saying(message),
            ApplyError::Call(error) => error.into(),
        }
    }
}
