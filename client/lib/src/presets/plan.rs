//! What there is before a preset is applied. Everything that can be found out beforehand is found
//! out before the first store is created.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tonic::Code;
use vault_proto::v1::{Database, ListDatabasesRequest};

use super::{
    ApplyError, ChosenStore, PresetApplication, PresetContent, PresetDatabase, apply::Task,
};
use crate::{BlobColumn, Client};

impl Client {
    /// Looks at what is there and begins to make the rest. Stores that are there stay as they are,
    /// but for the steps of a schema and columns of blob refs that are missing.
    pub async fn apply_preset(
        &self,
        chosen: Vec<ChosenStore>,
    ) -> Result<PresetApplication, ApplyError> {
        let there = self.there(&chosen).await?;
        let mut declared = self.declared_columns(&chosen).await?;
        let mut tasks = VecDeque::new();
        for chosen in chosen {
            let there = there.contains(&chosen.name);
            let version = match &chosen.store.content {
                PresetContent::Database(wanted) if there => {
                    self.known_version(&chosen.name, wanted).await?
                }
                _ => 0,
            };
            let blob_columns = declared.remove(&chosen.name).unwrap_or_default();
            tasks.push_back(Task {
                chosen,
                there,
                version,
                blob_columns,
            });
        }
        let client = self.clone();
        Ok(PresetApplication { client, tasks })
    }

    /// The stores that are there already, each made sure to be as the preset wants it.
    async fn there(&self, chosen: &[ChosenStore]) -> Result<BTreeSet<String>, ApplyError> {
        let stores = self.stores().await?.into_iter();
        let stores: BTreeMap<String, (&str, bool)> = stores
            .map(|store| (store.name, (store.kind, store.plain)))
            .collect();
        let mut there = BTreeSet::new();
        for ChosenStore { name, store } in chosen {
            let Some(found) = stores.get(name) else {
                continue;
            };
            let wanted = (store.content.kind(), store.content.plain());
            if *found != wanted {
                return Err(ApplyError::Conflict {
                    store: name.clone(),
                    found: described(*found),
                    wanted: described(wanted),
                });
            }
            there.insert(name.clone());
        }
        Ok(there)
    }

    /// Columns of blob refs that are declared, by database.
    async fn declared_columns(
        &self,
        chosen: &[ChosenStore],
    ) -> Result<BTreeMap<String, Vec<BlobColumn>>, ApplyError> {
        let is_database =
            |chosen: &&ChosenStore| matches!(chosen.store.content, PresetContent::Database(_));
        let Some(first) = chosen.iter().find(is_database) else {
            return Ok(BTreeMap::new());
        };
        let listed = self
            .services
            .databases()
            .list(ListDatabasesRequest {})
            .await;
        let listed = listed.map_err(|status| match status.code() {
            // A daemon from before there were databases.
            Code::Unimplemented => ApplyError::kind_missing(&first.name, "database"),
            _ => ApplyError::Call(status.into()),
        })?;
        let by_name = |database: Database| {
            let columns = database.blob_columns.into_iter();
            let columns = columns.map(BlobColumn::from);
            (database.name, columns.collect())
        };
        let databases = listed.into_inner().databases.into_iter();
        Ok(databases.map(by_name).collect())
    }

    /// The version of a database's schema, made sure to be one that the preset knows.
    async fn known_version(&self, store: &str, wanted: &PresetDatabase) -> Result<u32, ApplyError> {
        let version = self
            .user_version(store)
            .await
            .map_err(ApplyError::at(store))?;
        let known = u32::try_from(wanted.steps.len()).unwrap_or(u32::MAX);
        if version > known && !wanted.extensible {
            return Err(ApplyError::SchemaNewer {
                store: store.to_owned(),
                version,
                known,
            });
        }
        Ok(version)
    }
}

fn described((kind, plain): (&str, bool)) -> String {
    let protection = if plain { "plain" } else { "protected" };
    format!("{protection} `{kind}`")
}
