// Answers, with Grafana's own frontend code, what a browser would show. Each line of standard input
// is a list of requests in JSON: {"ask": name, ...}; their answers, in the same order, are a line of
// standard output.

// What the packages touch of a browser while they load. A function, so that none takes it for one.
globalThis.window = Object.assign(() => {}, {
  addEventListener() {},
  history: { pushState() {}, replaceState() {} },
  location: {},
});
globalThis.navigator ??= { languages: ['en'] };
console.info = console.log = () => {};

const grafana = require('@grafana/data');
const { lab } = require('d3-color');
const { firstValueFrom } = require('rxjs');

const themes = Object.fromEntries(
  ['dark', 'light'].map((mode) => [mode, grafana.createTheme({ colors: { mode } })])
);
const hex = (theme, colour) => {
  const [, r, g, b] = /^rgba?\((\d+), (\d+), (\d+)/.exec(theme.visualization.getColorByName(colour)) ?? [];
  return r === undefined
    ? theme.visualization.getColorByName(colour)
    : '#' + [r, g, b].map((part) => Number(part).toString(16).padStart(2, '0')).join('');
};
const inEachTheme = (answer) =>
  Object.fromEntries(Object.entries(themes).map(([mode, theme]) => [mode, answer(theme)]));

// The options of fields that dashboards override here; the application registers them all.
const processors = {
  noValue: grafana.stringOverrideProcessor,
  mappings: grafana.valueMappingsOverrideProcessor,
  links: grafana.dataLinksOverrideProcessor,
  color: grafana.identityOverrideProcessor,
  'custom.cellOptions': grafana.identityOverrideProcessor,
};
const registry = new grafana.FieldConfigOptionsRegistry(() =>
  Object.entries(processors).map(([id, process]) => ({
    id,
    path: id.replace(/^custom\./, ''),
    isCustom: id.startsWith('custom.'),
    name: id,
    process,
    shouldApply: () => true,
  }))
);
// The transformations that dashboards use here.
grafana.standardTransformersRegistry.setInit(() =>
  [grafana.standardTransformers.organizeFieldsTransformer, grafana.standardTransformers.sortByTransformer].map(
    (transformation) => ({
      id: transformation.id,
      name: transformation.id,
      transformation,
    })
  )
);

// The rows of a query in the format of a table: a label that one row has is an empty cell of others.
const tableOf = (rows) => {
  const labels = [...new Set(rows.flatMap((row) => Object.keys(row)))].sort();
  const column = (name, type, values) => ({ name, type, values, config: {} });
  return {
    refId: 'A',
    length: rows.length,
    fields: [
      column('Time', 'time', rows.map(() => 0)),
      ...labels.map((name) => column(name, 'string', rows.map((row) => row[name] ?? ''))),
      column('Value', 'number', rows.map(() => 1)),
    ],
  };
};

const answers = {
  // The text of an annotation.
  text: ({ format, labels }) => grafana.renderLegendFormat(format, labels),

  // Colours as the page has them.
  colours: ({ colours }) => inEachTheme((theme) => colours.map((colour) => hex(theme, colour))),

  // Each colour's contrast with the page.
  contrasts: ({ colours }) =>
    inEachTheme((theme) =>
      colours.map((colour) =>
        grafana.colorManipulator.getContrastRatio(hex(theme, colour), theme.colors.background.primary)
      )
    ),

  // The distance of each pair of colours (CIE 1976).
  distances: ({ pairs }) =>
    inEachTheme((theme) =>
      pairs.map((pair) => {
        const [one, other] = pair.map((colour) => lab(hex(theme, colour)));
        return Math.hypot(one.l - other.l, one.a - other.a, one.b - other.b);
      })
    ),

  // The colours of series without an override, by their names.
  'series colours': ({ names, color }) =>
    inEachTheme((theme) =>
      names.map((name) => {
        const field = { name, type: 'number', values: [1], state: {}, config: { displayName: name, color } };
        return hex(theme, grafana.getFieldSeriesColor(field, theme).color);
      })
    ),

  // What a panel of figures shows for a value, or, without one, for an answer without series.
  figure: ({ fieldConfig, reduceOptions, value }) =>
    inEachTheme((theme) => {
      const field = { name: 'A', type: 'number', values: [value], config: fieldConfig.defaults };
      const [shown] = grafana.getFieldDisplayValues({
        fieldConfig,
        reduceOptions,
        data: value === undefined ? [] : [{ fields: [field], length: 1 }],
        theme,
        replaceVariables: (text) => text,
        timeZone: 'utc',
      });
      return { text: shown.display.text, colour: hex(theme, shown.display.color) };
    }),

  // What a table shows: its headings, and its rows.
  table: async ({ panel, rows }) => {
    const [frame] = await firstValueFrom(grafana.transformDataFrame(panel.transformations, [tableOf(rows)]));
    const [shown] = grafana.applyFieldOverrides({
      data: [frame],
      fieldConfig: panel.fieldConfig,
      fieldConfigRegistry: registry,
      replaceVariables: (text) => text,
      theme: themes.light,
      timeZone: 'utc',
    });
    const cells = shown.fields.map((field) =>
      field.values.map((value) => field.display(value).text)
    );
    return {
      headings: shown.fields.map((field) => grafana.getFieldDisplayName(field, shown, [shown])),
      rows: Array.from({ length: shown.length }, (_, row) => cells.map((column) => column[row])),
    };
  },

  // Which units Grafana does not know.
  'unknown units': ({ units }) => {
    const known = new Set(
      grafana.getValueFormats().flatMap((category) => category.submenu.map((unit) => unit.value))
    );
    return units.filter((unit) => !known.has(unit));
  },
};

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const given = await Promise.all(JSON.parse(line).map((request) => answers[request.ask](request)));
    process.stdout.write(`${JSON.stringify(given)}\n`);
  });
