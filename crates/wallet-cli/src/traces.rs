//! Exports spans by OTLP over HTTP, in a program that is built with the feature `otlp`. The standard variables say where to, under what
//! name and how many: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`. Without an endpoint nothing is exported.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Sends the spans of this process, a batch at a time, on a thread of its own. Dropping it sends what is left.
#[derive(Debug)]
pub(crate) struct Exporter(SdkTracerProvider);

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

impl Exporter {
    /// The exporter that the variables ask for, if any.
    ///
    /// # Errors
    /// The endpoint is not a URL, or its scheme is not http: the exporter has no TLS.
    pub(crate) fn of_variables() -> Result<Option<Self>, String> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let endpoint =
            names.into_iter().find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
        let Some(endpoint) = endpoint else { return Ok(None) };
        if !endpoint.starts_with("http://") {
            return Err(format!("{endpoint} does not begin with http://"));
        }
        let exporter = SpanExporter::builder().with_http().build().map_err(|error| error.to_string())?;
        Ok(Some(Self::to(exporter)))
    }

    fn to(exporter: SpanExporter) -> Self {
        let mut resource = Resource::builder();
        if !is_set("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name("wallop");
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
        Self(provider.build())
    }

    /// Takes this program's own spans.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer: SdkTracer = self.0.tracer("wallop");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        layer.with_filter(filter_fn(|meta| meta.is_span() && meta.target().starts_with("wallet_")))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use opentelemetry_otlp::WithExportConfig as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_span_arrives_at_a_collector() {
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
        let taken = std::thread::spawn(move || {
            let (mut stream, _) = collector.accept().unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let head = text.find("\r\n\r\n")? + 4;
                let length =
                    text.split("content-length: ").nth(1)?.split('\r').next()?.parse::<usize>().ok()?;
                (request.len() >= head + length).then_some(())
            };
            while whole(&request).is_none() {
                let read = stream.read(&mut part).unwrap();
                assert!(read > 0, "the request ends early");
                request.extend_from_slice(&part[..read]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            String::from_utf8_lossy(&request).into_owned()
        });
        let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build().unwrap();
        let exporter = Exporter::to(exporter);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(exporter.layer()), || {
            tracing::debug_span!(target: "wallet_server::wire", "request", id = "abc-1").in_scope(|| {});
            tracing::debug_span!(target: "hyper", "not ours").in_scope(|| {});
        });
        drop(exporter);
        let request = taken.join().unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{request}");
        for part in ["wallop", "request", "abc-1"] {
            assert!(request.contains(part), "{part}: {request}");
        }
        assert!(!request.contains("not ours"), "{request}");
    }
}
