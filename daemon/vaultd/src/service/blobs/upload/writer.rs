//! An upload that is written to on threads that may block, and never on any other.

use bytes::Bytes;
use tokio::task::JoinHandle;
use tonic::Status;
use vault_store::{
    StoreResult,
    blobs::{BlobRef, Stored, Upload},
};

use crate::service::{Services, defect};

/// Writes one batch after the other, each while the next one is received.
pub(super) struct Writer {
    services: Services,
    /// While nothing is written.
    resting: Option<Upload>,
    writing: Option<JoinHandle<Result<Upload, Status>>>,
}

impl Writer {
    pub(super) fn new(services: Services, upload: Upload) -> Self {
        Self {
            services,
            resting: Some(upload),
            writing: None,
        }
    }

    /// Waits until everything handed over is written. After a failure there is no upload any more.
    pub(super) async fn settle(&mut self) -> Result<&Upload, Status> {
        if let Some(writing) = self.writing.take() {
            self.resting = Some(writing.await.map_err(|_| defect())??);
        }
        self.resting.as_ref().ok_or_else(defect)
    }

    /// Begins to write a batch.
    pub(super) async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), Status> {
        let write = move |upload: &mut Upload| {
            for piece in batch {
                upload.write(&piece)?;
            }
            Ok(())
        };
        self.begin(write).await
    }

    /// Forgets what is written, and begins at zero.
    pub(super) async fn restart(&mut self) -> Result<&Upload, Status> {
        self.begin(Upload::restart).await?;
        self.settle().await
    }

    /// Makes it durable.
    pub(super) async fn finish(&mut self, expected: Option<BlobRef>) -> Result<Stored, Status> {
        self.settle().await?;
        let upload = self.resting.take().ok_or_else(defect)?;
        let finish = self.services.run(move |keeper| {
            let _busy = keeper.busy();
            let finished = upload.finish(expected.as_ref());
            finished.map_err(|error| Box::new(keeper.refusal_of(&error)))
        });
        finish.await
    }

    async fn begin(
        &mut self,
        work: impl FnOnce(&mut Upload) -> StoreResult<()> + Send + 'static,
    ) -> Result<(), Status> {
        self.settle().await?;
        let mut upload = self.resting.take().ok_or_else(defect)?;
        let services = self.services.clone();
        self.writing = Some(tokio::spawn(async move {
            let worked = services.run(move |keeper| {
                // A vault that is written to does not lock itself.
                let _busy = keeper.busy();
                let worked = work(&mut upload);
                worked.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
                Ok(upload)
            });
            worked.await
        }));
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What it leaves, or does not leave, is the disk's business.
        if let Some(upload) = self.resting.take() {
            tokio::task::spawn_blocking(move || drop(upload));
        }
    }
}
