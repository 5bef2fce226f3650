//! What the document says about paths: which operation a request means, which methods a path knows, what its parts are
//! called. poem's router keeps none of it to itself that could be asked.

use poem::http::Method;
use serde_json::Value;

/// Every path of the API.
#[derive(Debug, Default)]
pub struct Routes(Vec<Route>);

/// One path.
#[derive(Debug)]
pub struct Route {
    segments: Vec<Segment>,
    operations: Vec<(Method, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

impl Routes {
    /// Reads the document's paths; `more` are paths that are served beside it, by GET.
    pub fn of(document: &Value, more: &[&str]) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let mut routes: Vec<_> =
            paths.map(|(path, item)| Route { segments: segments(path), operations: operations(item) }).collect();
        routes.extend(
            more.iter()
                .map(|path| Route { segments: segments(path), operations: vec![(Method::GET, (*path).to_owned())] }),
        );
        // Where two fit, the one with more literal parts is meant, as in poem's router.
        routes.sort_by_key(|route| route.parameters().len());
        Self(routes)
    }

    /// The route of this path, if there is one.
    pub fn at(&self, path: &str) -> Option<&Route> {
        let parts: Vec<_> = parts(path).collect();
        self.0.iter().find(|route| route.fits(&parts))
    }
}

impl Route {
    /// The operation's id; HEAD means GET.
    pub fn operation(&self, method: &Method) -> Option<&str> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.operations.iter().find(|(known, _)| known == method).map(|(_, operation)| operation.as_str())
    }

    /// For the header `Allow`.
    pub fn methods(&self) -> String {
        let mut methods: Vec<_> = self.operations.iter().map(|(method, _)| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.join(", ")
    }

    /// What the variable parts are called, from the left.
    pub fn parameters(&self) -> Vec<String> {
        let name = |segment: &Segment| match segment {
            Segment::Parameter(name) => Some(name.clone()),
            Segment::Literal(_) => None,
        };
        self.segments.iter().filter_map(name).collect()
    }

    fn fits(&self, parts: &[&str]) -> bool {
        self.segments.len() == parts.len()
            && self.segments.iter().zip(parts).all(|(segment, part)| match segment {
                Segment::Literal(literal) => literal == part,
                Segment::Parameter(_) => true,
            })
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn segments(path: &str) -> Vec<Segment> {
    let segment = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => Segment::Parameter(name.to_owned()),
        None => Segment::Literal(part.to_owned()),
    };
    parts(path).map(segment).collect()
}

fn operations(item: &Value) -> Vec<(Method, String)> {
    let operation = |(method, operation): (&String, &Value)| {
        let method = method.to_uppercase().parse().ok()?;
        Some((method, operation["operationId"].as_str()?.to_owned()))
    };
    item.as_object().into_iter().flatten().filter_map(operation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_finds_its_operation_and_the_methods_of_its_path() {
        let document = serde_json::json!({ "paths": {
            "/users/{id}": { "get": { "operationId": "get_user" }, "delete": { "operationId": "delete_user" } },
            "/users/me": { "get": { "operationId": "get_me" } },
        }});
        let routes = Routes::of(&document, &["/docs"]);
        let me = routes.at("/users/me").unwrap();
        assert_eq!((me.operation(&Method::HEAD), me.methods().as_str()), (Some("get_me"), "GET, HEAD, OPTIONS"));
        let user = routes.at("/users/5").unwrap();
        assert_eq!((user.operation(&Method::POST), user.methods().as_str()), (None, "DELETE, GET, HEAD, OPTIONS"));
        assert_eq!(user.parameters(), ["id"]);
        assert!(routes.at("/docs").is_some() && routes.at("/nothing").is_none());
    }
}
