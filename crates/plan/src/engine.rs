//! The engine as governed plans need it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

/// The most memory that the operators of one plan may hold at a time, in bytes.
pub const ENGINE_MEMORY_BYTES_MAX: usize = 2 << 30;

/// A session for one plan. It knows no table and no catalog but what the plan brings along, and its memory is limited to
/// [`ENGINE_MEMORY_BYTES_MAX`]. SQL is planned elsewhere, so that the functions that it knows are out of reach.
pub fn engine_session() -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_information_schema(false);
    // A correlated count is never null to the planner and nullable to the operators that compute it (DataFusion 55.2).
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    let pool = Arc::new(GreedyMemoryPool::new(ENGINE_MEMORY_BYTES_MAX));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}
