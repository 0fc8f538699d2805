// Starts Swagger UI. The document's address stands in the page; nothing is read from its URL.
const place = document.getElementById("docs");

window.ui = window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  docExpansion: "none",
  filter: true,
  deepLinking: true,
  queryConfigEnabled: false,
  validatorUrl: null,
  persistAuthorization: false,
});
