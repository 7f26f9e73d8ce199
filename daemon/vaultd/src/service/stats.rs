//! Stats RPCs: what the daemon counts, served whatever the state of the key.

mod open_metrics;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use vault_proto::v1::{
    GetStatsRequest, GetStatsResponse, OpenMetricsRequest, OpenMetricsResponse,
    get_stats_response::{Method, Outcome},
    stats_server::Stats,
};
use vault_store::{Clock as _, SystemClock, fs};

use super::{DatabasesService, Services, convert};
use crate::{
    keeper::Keeper,
    metrics::{self, BOUNDS_US, Metrics},
    platform,
};

/// The `Stats` service.
#[derive(Clone)]
pub struct StatsService {
    services: Services,
    databases: DatabasesService,
    metrics: Arc<Metrics>,
    /// Since when it is counted, in milliseconds since 1970.
    started_ms: i64,
}

impl StatsService {
    /// The service of what `metrics` counts since `started_ms`, in milliseconds since 1970.
    pub fn new(
        services: Services,
        databases: DatabasesService,
        metrics: Arc<Metrics>,
        started_ms: i64,
    ) -> Self {
        Self {
            services,
            databases,
            metrics,
            started_ms,
        }
    }

    async fn read(&self) -> Result<GetStatsResponse, Status> {
        let this = self.clone();
        let figures = self
            .services
            .run_at_once(move |keeper| Ok(this.figures(keeper)));
        figures.await
    }

    fn figures(&self, keeper: &Keeper) -> GetStatsResponse {
        let methods = self.metrics.methods().iter().map(method);
        let traffic = self.metrics.traffic();
        let (transactions, statements) = self.databases.in_progress();
        let process = platform::process_figures();
        // Asked without a trace: who watches the figures does not use the vault.
        let vault = keeper.status().vault.ok();
        GetStatsResponse {
            methods: methods
                .filter(|method| !method.outcomes.is_empty())
                .collect(),
            bounds_us: BOUNDS_US.to_vec(),
            started: Some(convert::timestamp(self.started_ms)),
            taken: Some(convert::timestamp(SystemClock.now_ms())),
            received_bytes: traffic.received(),
            sent_bytes: traffic.sent(),
            connections_accepted: traffic.accepted(),
            connections_refused: traffic.refused(),
            syncs: fs::disk_syncs(),
            connections: traffic.open(),
            unary_calls: self.metrics.unary_calls(),
            streams: self.metrics.streams(),
            transactions,
            statements,
            open_stores: vault.map_or(0, |vault| vault.open_stores()),
            sqlite_bytes: platform::sqlite_memory_used(),
            open_files: process.open_files,
            resident_bytes: process.resident_bytes,
            peak_resident_bytes: process.peak_resident_bytes,
        }
    }
}

fn method(method: &metrics::Method) -> Method {
    let outcomes = method.outcomes().map(|(reason, calls)| Outcome {
        reason: reason.to_owned(),
        calls,
    });
    Method {
        method: method.name().to_owned(),
        outcomes: outcomes.collect(),
        durations: method.durations().buckets().collect(),
        total_us: method.durations().total_us(),
    }
}

#[tonic::async_trait]
impl Stats for StatsService {
    async fn get(&self, _: Request<GetStatsRequest>) -> Result<Response<GetStatsResponse>, Status> {
        self.read().await.map(Response::new)
    }

    async fn open_metrics(
        &self,
        _: Request<OpenMetricsRequest>,
    ) -> Result<Response<OpenMetricsResponse>, Status> {
        let text = open_metrics::text(&self.read().await?);
        Ok(Response::new(OpenMetricsResponse { text }))
    }
}
