//! Stores RPCs.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use vault_auth::Permission;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        AdoptStoreRequest, AdoptStoreResponse, ConfigureStoreRequest, ConfigureStoreResponse,
        CreateStoreRequest, CreateStoreResponse, ListStoresRequest, ListStoresResponse,
        MigrateStoreRequest, MigrateStoreResponse, RemoveStoreRequest, RemoveStoreResponse,
        SizeClass, StoreKind, adopt_store_request::Part, stores_server::Stores,
    },
};
use vault_store::{
    StoreName, StoreResult,
    catalogue::{Kind, Protection, StoreRecord},
    documents::{AdoptedFile, Adoption, MigrationProgress},
    vault::{NewStore, Vault},
};

use super::{ANSWER_DEPTH, Answer, Services, caller, convert, out_of_turn};
use crate::error::{store_error, too_large};

/// The `Stores` service.
#[derive(Clone)]
pub struct StoresService(pub Services);

pub(super) fn parse(name: &str) -> Result<StoreName, Status> {
    StoreName::parse(name).map_err(|error| store_error(&error.into()))
}

pub(super) fn describe(vault: &Vault, record: &StoreRecord) -> vault_proto::v1::Store {
    let stats = vault
        .open_store(&record.name)
        .and_then(|store| store.stats());
    let limit = vault.limit(record.size_class);
    convert::store(record, limit, stats.map_err(|error| error.to_string()))
}

#[tonic::async_trait]
impl Stores for StoresService {
    async fn create(
        &self,
        request: Request<CreateStoreRequest>,
    ) -> Result<Response<CreateStoreResponse>, Status> {
        let request = request.into_inner();
        let kind = match request.kind() {
            StoreKind::Documents | StoreKind::Unspecified => Kind::Documents,
            StoreKind::Database => Kind::Database,
            StoreKind::Blobs => Kind::Blobs,
            StoreKind::Files => Kind::Files,
            StoreKind::Secrets => Kind::Secrets,
        };
        let mut new = NewStore::new(parse(&request.name)?, kind);
        if request.plain {
            new.protection = Protection::Plain;
        }
        if request.size_class() != SizeClass::Unspecified {
            new.size_class = convert::size_class(request.size_class());
        }
        if let Some(policy) = &request.attachments {
            new.attachments = convert::attachment_options(policy)?;
        }
        let store = self.0.with_vault(move |vault| {
            let record = vault.create_store(new)?;
            Ok(describe(vault, &record))
        });
        Ok(Response::new(CreateStoreResponse {
            store: Some(store.await?),
        }))
    }

    async fn list(
        &self,
        request: Request<ListStoresRequest>,
    ) -> Result<Response<ListStoresResponse>, Status> {
        let caller = caller(&request)?;
        let stores = self.0.with_vault(move |vault| {
            let mut stores = vault.stores();
            stores.retain(|record| caller.reaches(record.name.as_str(), Permission::Read));
            Ok(stores
                .iter()
                .map(|record| describe(vault, record))
                .collect())
        });
        Ok(Response::new(ListStoresResponse {
            stores: stores.await?,
        }))
    }

    async fn configure(
        &self,
        request: Request<ConfigureStoreRequest>,
    ) -> Result<Response<ConfigureStoreResponse>, Status> {
        let ConfigureStoreRequest { name, attachments } = request.into_inner();
        let name = parse(&name)?;
        let options = convert::attachment_options(&attachments.unwrap_or_default())?;
        let store = self.0.with_vault(move |vault| {
            let record = vault.configure_attachments(&name, options)?;
            Ok(describe(vault, &record))
        });
        Ok(Response::new(ConfigureStoreResponse {
            store: Some(store.await?),
        }))
    }

    async fn remove(
        &self,
        request: Request<RemoveStoreRequest>,
    ) -> Result<Response<RemoveStoreResponse>, Status> {
        let name = parse(&request.into_inner().name)?;
        self.0
            .with_vault(move |vault| vault.remove_store(&name))
            .await?;
        Ok(Response::new(RemoveStoreResponse {}))
    }

    async fn adopt(
        &self,
        request: Request<Streaming<AdoptStoreRequest>>,
    ) -> Result<Response<AdoptStoreResponse>, Status> {
        let mut stream = request.into_inner();
        let Some(Part::Store(name)) = self.0.next(&mut stream).await?.and_then(|m| m.part) else {
            return Err(out_of_turn(
                "the first message of an adoption names the store",
            ));
        };
        let name = parse(&name)?;
        let (limit, mut adoption) = self
            .0
            .with_vault(move |vault| {
                let store = vault.documents_or_create(&name)?;
                Ok((store.body_limit(), store.adopt()?))
            })
            .await?;

        let mut bytes = 0;
        let mut open: Option<(AdoptedFile, u64)> = None;
        loop {
            if let Some((file, size)) = &open
                && file.body.len() as u64 == *size
            {
                bytes += size;
                let (file, _) = open.take().expect("it was looked at just now");
                adoption = self.add(adoption, file).await?;
            }
            match (
                self.0.next(&mut stream).await?.map(|message| message.part),
                &mut open,
            ) {
                (Some(Some(Part::Finish(_))), None) => break,
                (None, None) => return Err(out_of_turn("the adoption ended without its finish")),
                (Some(Some(Part::File(file))), None) => {
                    if file.size > limit {
                        return Err(too_large(file.size, limit));
                    }
                    open = Some((
                        AdoptedFile {
                            path: file.path,
                            body: Vec::new(),
                        },
                        file.size,
                    ));
                }
                (Some(Some(Part::Chunk(chunk))), Some((file, size)))
                    if chunk.len() <= CHUNK_LIMIT
                        && (file.body.len() + chunk.len()) as u64 <= *size =>
                {
                    file.body.extend_from_slice(&chunk);
                }
                _ => {
                    return Err(out_of_turn(
                        "a file and then its chunks, of its size in all",
                    ));
                }
            }
        }
        let adopted = self.blocking(move || adoption.finish()).await?;
        Ok(Response::new(AdoptStoreResponse { adopted, bytes }))
    }

    type MigrateStream = Answer<MigrateStoreResponse>;

    async fn migrate(
        &self,
        request: Request<MigrateStoreRequest>,
    ) -> Result<Response<Self::MigrateStream>, Status> {
        let name = request.into_inner().name;
        let store = self
            .0
            .with_store(&name, |store| Ok(Arc::clone(store)))
            .await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = self.0.clone();
        tokio::spawn(async move {
            let mut reports = Reports::new(sender.clone());
            let done = services.run(move |keeper| {
                let migrated = store.migrate(|progress| reports.add(progress));
                migrated.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
                Ok(reports)
            });
            match done.await {
                Ok(reports) => reports.send_rest().await,
                Err(status) => {
                    let _ = sender.send(Err(status)).await;
                }
            }
        });
        Ok(Response::new(Answer::new(receiver)))
    }
}

/// Reports of a migration on their way to a client that may read slowly, or not at all: the
/// migration waits for nobody. Of reports that found no room only failures and the newest are kept.
struct Reports {
    sender: mpsc::Sender<Result<MigrateStoreResponse, Status>>,
    waiting: VecDeque<MigrateStoreResponse>,
}

impl Reports {
    fn new(sender: mpsc::Sender<Result<MigrateStoreResponse, Status>>) -> Self {
        Self {
            sender,
            waiting: VecDeque::new(),
        }
    }

    fn add(&mut self, progress: MigrationProgress) {
        let (failed_id, failure) = progress.failed.unwrap_or_default();
        if self
            .waiting
            .back()
            .is_some_and(|last| last.failed_id.is_empty())
        {
            self.waiting.pop_back();
        }
        self.waiting.push_back(MigrateStoreResponse {
            done: progress.done,
            total: progress.total,
            failed_id,
            failure,
        });
        while let Ok(room) = self.sender.try_reserve()
            && let Some(report) = self.waiting.pop_front()
        {
            room.send(Ok(report));
        }
    }

    async fn send_rest(self) {
        for report in self.waiting {
            if self.sender.send(Ok(report)).await.is_err() {
                return;
            }
        }
    }
}

impl StoresService {
    async fn add(&self, adoption: Adoption, file: AdoptedFile) -> Result<Adoption, Status> {
        let added = move || {
            let mut adoption = adoption;
            adoption.add(&file).map(|()| adoption)
        };
        self.blocking(added).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        self.0
            .run(move |keeper| work().map_err(|error| Box::new(keeper.refusal_of(&error))))
            .await
    }
}
