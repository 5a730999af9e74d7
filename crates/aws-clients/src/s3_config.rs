//! How S3 is spoken to.

use aws_config::SdkConfig;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::endpoint::{DefaultResolver, EndpointFuture, Params, ResolveEndpoint};

use crate::Timeouts;

/// The settings of clients of S3.
pub(crate) fn s3_config(config: &SdkConfig, timeouts: Timeouts) -> Builder {
    let mut builder = Builder::from(config).endpoint_resolver(Endpoints::default());
    builder.set_retry_partition(timeouts.retry_partition());
    builder
}

/// The SDK's endpoints, but for two things. An endpoint that is configured has the bucket in the path, as the AWS
/// CLI has it: the names of its buckets are no hosts. And the key, which does not decide where a request goes, is left
/// out of the question, so that the SDK's answer to the one before is still good: working it out is about a twentieth of
/// what a small request costs.
#[derive(Debug, Default)]
struct Endpoints {
    resolver: DefaultResolver,
}

impl ResolveEndpoint for Endpoints {
    fn resolve_endpoint<'a>(&'a self, asked: &'a Params) -> EndpointFuture<'a> {
        let path_style = asked.force_path_style() == Some(true) || asked.endpoint().is_some();
        let params = Params::builder()
            .set_bucket(asked.bucket().map(str::to_owned))
            .set_region(asked.region().map(str::to_owned))
            .set_use_fips(asked.use_fips())
            .set_use_dual_stack(asked.use_dual_stack())
            .set_endpoint(asked.endpoint().map(str::to_owned))
            .set_force_path_style(Some(path_style))
            .set_accelerate(asked.accelerate())
            .set_use_global_endpoint(asked.use_global_endpoint())
            .set_use_object_lambda_endpoint(asked.use_object_lambda_endpoint())
            .set_disable_access_points(asked.disable_access_points())
            .set_disable_multi_region_access_points(asked.disable_multi_region_access_points())
            .set_use_arn_region(asked.use_arn_region())
            .set_use_s3_express_control_endpoint(asked.use_s3_express_control_endpoint())
            .set_disable_s3_express_session_auth(asked.disable_s3_express_session_auth())
            .build();
        EndpointFuture::new(async move { self.resolver.resolve_endpoint(&params?).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn url(endpoint: Option<&str>, key: &str) -> String {
        let params = Params::builder()
            .bucket("trail")
            .region("eu-central-1")
            .key(key)
            .set_endpoint(endpoint.map(str::to_owned))
            .build()
            .unwrap();
        let endpoints = Endpoints::default();
        let endpoint = endpoints.resolve_endpoint(&params).await.unwrap();
        endpoint.url().to_owned()
    }

    #[tokio::test]
    async fn a_bucket_is_a_host_of_amazon_and_a_path_anywhere_else() {
        let amazon = "https://trail.s3.eu-central-1.amazonaws.com";
        assert_eq!(url(None, "a").await, amazon);
        for endpoint in ["http://localhost:4566", "https://s3.example.com"] {
            assert_eq!(url(Some(endpoint), "a").await, format!("{endpoint}/trail"));
        }
    }
}
