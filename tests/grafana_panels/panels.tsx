// Grafana's components for our kinds of panel, with the options a Grafana server would fill in.

import {
  applyFieldOverrides, booleanOverrideProcessor, cacheFieldDisplayNames, displayNameOverrideProcessor, FieldColorModeId,
  FieldConfigOptionsRegistry, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues, identityOverrideProcessor,
  numberOverrideProcessor, standardTransformers, standardTransformersRegistry, stringOverrideProcessor,
  ThresholdsMode, thresholdsOverrideProcessor, transformDataFrame, unitOverrideProcessor,
  valueMappingsOverrideProcessor, VizOrientation,
  type DataFrame, type Field, type FieldConfig, type FieldConfigPropertyItem, type FieldDisplay, type GrafanaTheme2, type TimeRange,
} from '@grafana/data';
import {
  AxisPlacement, GraphDrawStyle, GraphGradientMode, GraphThresholdsStyleMode, LineInterpolation,
  ScaleDistribution, StackingMode, TableCellDisplayMode, VisibilityMode,
} from '@grafana/schema';
import { BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { lastValueFrom } from 'rxjs';
import type { Panel } from './dashboard';

const GREEN_ONLY = { mode: ThresholdsMode.Absolute, steps: [{ value: -Infinity, color: 'green' }] };

/** What the panel's plugin sets where the JSON says nothing. */
const DEFAULTS: Record<string, FieldConfig> = {
  timeseries: {
    color: { mode: FieldColorModeId.PaletteClassic },
    custom: {
      drawStyle: GraphDrawStyle.Line, lineInterpolation: LineInterpolation.Linear, lineWidth: 1, fillOpacity: 0,
      gradientMode: GraphGradientMode.None, spanNulls: false, showPoints: VisibilityMode.Auto, pointSize: 5,
      stacking: { mode: StackingMode.None, group: 'A' }, axisPlacement: AxisPlacement.Auto, axisLabel: '',
      axisBorderShow: false, scaleDistribution: { type: ScaleDistribution.Linear },
      hideFrom: { legend: false, tooltip: false, viz: false }, thresholdsStyle: { mode: GraphThresholdsStyleMode.Off },
    },
  },
  stat: { color: { mode: FieldColorModeId.Thresholds } },
  table: {
    color: { mode: FieldColorModeId.Thresholds },
    custom: { align: 'auto', cellOptions: { type: TableCellDisplayMode.Auto }, inspect: false },
  },
};

const ofNumbers = (field: Field) => field.type === FieldType.number;
const STANDARD: [string, FieldConfigPropertyItem['process'], ((field: Field) => boolean)?][] = [
  ['unit', unitOverrideProcessor], ['displayName', displayNameOverrideProcessor], ['noValue', stringOverrideProcessor],
  ['mappings', valueMappingsOverrideProcessor], ['color', identityOverrideProcessor], ['fieldMinMax', booleanOverrideProcessor],
  ['min', numberOverrideProcessor, ofNumbers], ['max', numberOverrideProcessor, ofNumbers],
  ['decimals', numberOverrideProcessor, ofNumbers], ['thresholds', thresholdsOverrideProcessor, ofNumbers],
];

function properties(custom: string[]): FieldConfigOptionsRegistry {
  const item = (id: string, path: string, isCustom: boolean, process: any, shouldApply = (_: Field) => true) =>
    ({ id, path, isCustom, process, shouldApply, name: id, settings: {}, editor: null, override: null }) as unknown as FieldConfigPropertyItem;
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map(([id, process, shouldApply]) => item(id, id, false, process, shouldApply)),
    ...custom.map((name) => item(`custom.${name}`, name, true, identityOverrideProcessor)),
  ]);
}

const used = ['organizeFieldsTransformer', 'sortByTransformer'] as const;
standardTransformersRegistry.setInit(() =>
  used.map((key) => ({
    ...standardTransformers[key], editor: null as any, imageDark: '', imageLight: '',
    transformation: async () => standardTransformers[key],
  })) as any
);

/** The frames as the panel shows them: transformed, each field with its unit, colour and name. */
export async function prepared(panel: Panel, frames: DataFrame[], theme: GrafanaTheme2): Promise<DataFrame[]> {
  for (const { id } of panel.transformations ?? []) {
    standardTransformersRegistry.get(id); // throws where it is not one of those above
  }
  const transformed = await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  const { defaults, overrides } = panel.fieldConfig;
  const missing = DEFAULTS[panel.type];
  const custom = { ...missing.custom, ...defaults.custom };
  const overridden = overrides.flatMap((rule) => rule.properties.map(({ id }) => id.split('custom.')[1])).filter(Boolean);
  const shown = applyFieldOverrides({
    data: transformed, theme, timeZone: 'browser', replaceVariables: (text) => text,
    fieldConfig: { defaults: { thresholds: GREEN_ONLY, ...missing, ...defaults, custom }, overrides },
    fieldConfigRegistry: properties([...new Set([...Object.keys(custom), ...overridden])]),
  });
  cacheFieldDisplayNames(shown);
  return panel.type === 'timeseries' ? shown.map(finite) : shown;
}

/** A frame with gaps where a value is not a number, or infinite. */
function finite(frame: DataFrame): DataFrame {
  const values = (field: Field) => field.values.map((value) => (Number.isFinite(value) ? value : null));
  return { ...frame, fields: frame.fields.map((field) => (ofNumbers(field) ? { ...field, values: values(field) } : field)) };
}

interface Drawing {
  panel: Panel;
  frames: DataFrame[];
  range: TimeRange;
  width: number;
  height: number;
}

/** The inside of a panel. */
export function Visualization(drawing: Drawing) {
  const { panel, frames, range, width, height } = drawing;
  if (!frames.some(({ length }) => length)) {
    const text = panel.fieldConfig.defaults.noValue ?? 'No data';
    return <div data-empty style={{ height, display: 'grid', placeItems: 'center' }}>{text}</div>;
  }
  if (panel.type === 'stat') {
    return <Stat {...drawing} />;
  }
  if (panel.type === 'table') {
    return <TableNG data={frames[0]} width={width} height={height} timeRange={range} />;
  }
  const legend = { showLegend: true, ...panel.options.legend };
  return <TimeSeries frames={frames} timeRange={range} timeZone="browser" width={width} height={height} legend={legend} />;
}

function Stat({ panel, frames, range, width, height }: Drawing) {
  const theme = useTheme2();
  const { reduceOptions, colorMode, graphMode, textMode } = panel.options;
  const values = () =>
    getFieldDisplayValues({
      fieldConfig: panel.fieldConfig, data: frames, theme, reduceOptions: { values: false, ...reduceOptions },
      replaceVariables: (text) => text, sparkline: graphMode !== BigValueGraphMode.None, timeZone: 'browser',
    });
  return (
    <VizRepeater<FieldDisplay, ReturnType<typeof getDisplayValueAlignmentFactors>>
      getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} source={frames} renderCounter={0}
      width={width} height={height} orientation={VizOrientation.Auto} autoGrid
      renderValue={({ value, alignmentFactors, count, ...size }) => (
        <BigValue
          {...size} theme={theme} value={value.display} count={count} alignmentFactors={alignmentFactors}
          sparkline={value.sparkline && { ...value.sparkline, timeRange: range }}
          colorMode={colorMode ?? BigValueColorMode.Value} graphMode={graphMode ?? BigValueGraphMode.Area}
          textMode={textMode ?? BigValueTextMode.Auto}
        />
      )}
    />
  );
}
