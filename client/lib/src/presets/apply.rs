//! Creating the stores of a preset.
//!
//! Whatever ends an application midway, applying the preset again finishes it.

use std::collections::VecDeque;

use super::{ApplyError, ChosenStore, PresetContent, PresetDatabase};
use crate::{BlobColumn, Client, DatabaseChanges, DatabaseOptions, Error, StoreOptions};

/// What became of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedStore {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// It was not there before.
    pub created: bool,
    /// Of a database: the version of the schema before and after.
    pub schema: Option<(u32, u32)>,
    /// Of a database: columns of blob refs that were not declared before.
    pub declared: Vec<BlobColumn>,
}

impl AppliedStore {
    /// Nothing had to be done.
    pub fn unchanged(&self) -> bool {
        let migrated = self.schema.is_some_and(|(from, to)| from != to);
        !self.created && !migrated && self.declared.is_empty()
    }
}

/// A store to be made as the preset wants it, and how far it is.
pub(super) struct Task {
    pub(super) chosen: ChosenStore,
    pub(super) there: bool,
    /// Of its schema.
    pub(super) version: u32,
    /// Declared before.
    pub(super) blob_columns: Vec<BlobColumn>,
}

/// A preset under way. It goes on as long as [`Self::next`] is called.
pub struct PresetApplication {
    pub(super) client: Client,
    pub(super) tasks: VecDeque<Task>,
}

impl PresetApplication {
    /// Makes the next store as it is to be; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<AppliedStore>, ApplyError> {
        let Some(task) = self.tasks.pop_front() else {
            return Ok(None);
        };
        let name = &task.chosen.name;
        let (schema, declared) = match &task.chosen.store.content {
            PresetContent::Database(database) => self.database(&task, database).await?,
            content => {
                self.other(&task, content)
                    .await
                    .map_err(ApplyError::at(name))?;
                (None, Vec::new())
            }
        };
        Ok(Some(AppliedStore {
            kind: task.chosen.store.content.kind(),
            created: !task.there,
            name: task.chosen.name,
            schema,
            declared,
        }))
    }

    /// A store of any kind but a database.
    async fn other(&self, task: &Task, content: &PresetContent) -> Result<(), Error> {
        if !task.there {
            let options = StoreOptions {
                kind: content.store_kind(),
                plain: content.plain(),
                size_class: task.chosen.store.size_class,
                attachments: None,
            };
            let name = &task.chosen.name;
            self.client.create_store(name, &options).await?;
        }
        Ok(())
    }

    async fn database(
        &self,
        task: &Task,
        wanted: &PresetDatabase,
    ) -> Result<(Option<(u32, u32)>, Vec<BlobColumn>), ApplyError> {
        let name = &task.chosen.name;
        if !task.there {
            let created = self.create(task, wanted).await;
            created.map_err(ApplyError::at(name))?;
        }
        let mut schema = (task.version, task.version);
        if (task.version as usize) < wanted.steps.len() {
            let migrated = self.migrate(name, wanted).await;
            schema = migrated.map_err(ApplyError::at(name))?;
        }
        let missing = wanted.blob_columns.iter();
        let missing: Vec<BlobColumn> = missing
            .filter(|column| !task.blob_columns.contains(column))
            .cloned()
            .collect();
        if !missing.is_empty() {
            self.declare(task, &missing).await?;
        }
        Ok((Some(schema), missing))
    }

    async fn create(&self, task: &Task, wanted: &PresetDatabase) -> Result<(), Error> {
        let options = DatabaseOptions {
            size_class: task.chosen.store.size_class.unwrap_or_default(),
            without_maintenance: !wanted.maintenance,
            // Declared once the schema has shown that they exist.
            blob_columns: Vec::new(),
        };
        let name = &task.chosen.name;
        self.client.create_database(name, options).await?;
        Ok(())
    }

    async fn migrate(&self, name: &str, wanted: &PresetDatabase) -> Result<(u32, u32), Error> {
        let steps = wanted.steps.clone();
        let migrated = self.client.migrate_database(name, steps, None).await?;
        Ok((migrated.from_version, migrated.to_version))
    }

    /// Declares columns of blob refs, beside those that somebody declared before.
    async fn declare(&self, task: &Task, missing: &[BlobColumn]) -> Result<(), ApplyError> {
        let store = &task.chosen.name;
        for column in missing {
            let there = self.client.has_column(store, column).await;
            if !there.map_err(ApplyError::at(store))? {
                return Err(ApplyError::ColumnMissing {
                    store: store.clone(),
                    column: column.clone(),
                });
            }
        }
        let all = task.blob_columns.iter().chain(missing);
        let changes = DatabaseChanges {
            blob_columns: Some(all.cloned().collect()),
            ..DatabaseChanges::default()
        };
        let configured = self.client.configure_database(store, changes).await;
        configured.map_err(ApplyError::at(store))
    }
}
