"""Pages in the browser. They reach a model over HTTP only, and know no trainer, no template and no tensor."""
