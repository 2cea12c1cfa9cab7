// Asks Prometheus what Grafana's data source would ask, and makes the same data frames of it.

import { createDataFrame, FieldType, rangeUtil, type DataFrame, type Labels, type TimeRange } from '@grafana/data';
import type { Target, Variable } from './dashboard';

interface Series {
  metric: Labels;
  values?: [number, string][];
  value?: [number, string];
}

/** What a variable is set to: the text shown for it and what queries get. */
export interface Choice {
  label: string;
  text: string;
  value: string;
}

export class Prometheus {
  constructor(
    private readonly url: string,
    private readonly range: TimeRange,
    private readonly scrapeInterval: string
  ) {}

  /** A variable set as asked; else to all where it may be all, or to its first value. */
  async choice(variable: Variable, asked: string | null): Promise<Choice> {
    if (variable.type === 'datasource') {
      return { label: variable.label, text: 'Prometheus', value: 'prometheus' };
    }
    if (variable.includeAll) {
      return { label: variable.label, text: 'All', value: variable.allValue ?? '.*' };
    }
    const query = /^query_result\((.*)\)$/.exec(variable.query)![1].replace('$job', '.*');
    const lines = (await this.instant(query)).map(({ metric: { __name__: name, ...labels }, value }) => {
      const inside = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
      return `${name}{${inside.join(',')}} ${value![1]} ${value![0] * 1000}`;
    });
    const found = lines.map((line) => new RegExp(variable.regex.slice(1, -1)).exec(line)!.groups!);
    found.sort((one, other) => one.text.localeCompare(other.text));
    const { text, value } = found.find(({ value }) => value === asked) ?? found[0];
    return { label: variable.label, text, value };
  }

  /** One query's frames, for a panel that many pixels wide. */
  async frames(target: Target, variables: Record<string, string>, width: number): Promise<DataFrame[]> {
    const step = rangeUtil.calculateInterval(this.range, width, this.scrapeInterval).intervalMs / 1000;
    const scrape = rangeUtil.intervalToSeconds(this.scrapeInterval);
    const range = Math.ceil((this.range.to.valueOf() - this.range.from.valueOf()) / 1000);
    const values = { ...variables, __rate_interval: `${Math.max(step + scrape, 4 * scrape)}s`, __range: `${range}s` };
    const expression = target.expr.replace(/\$(\w+)/g, (_, name: keyof typeof values) => values[name]);
    if (target.format === 'table') {
      return [table(await this.instant(expression), target.refId)];
    }
    const parameters = { query: expression, step: `${step}`, start: seconds(this.range.from), end: seconds(this.range.to) };
    const series = await this.get('query_range', parameters);
    return series.map((one) => line(one, { ...target, expr: expression }, step));
  }

  private instant(query: string): Promise<Series[]> {
    return this.get('query', { query, time: seconds(this.range.to) });
  }

  private async get(path: string, parameters: Record<string, string>): Promise<Series[]> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = await response.json();
    if (answer.status !== 'success') {
      throw new Error(answer.error);
    }
    return answer.data.result;
  }
}

function seconds(time: TimeRange['from']): string {
  return `${time.valueOf() / 1000}`;
}

function line({ metric, values = [] }: Series, target: Target, step: number): DataFrame {
  const name = target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? '') || target.expr;
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: values.map(([at]) => at * 1000), config: { interval: step * 1000 } },
      {
        name: 'Value', type: FieldType.number, labels: metric, config: { displayNameFromDS: name },
        values: values.map(([, value]) => Number(value)),
      },
    ],
  });
}

function table(series: Series[], refId: string): DataFrame {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const column = (label: string) => series.map(({ metric }) => metric[label] ?? '');
  return createDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: series.map(({ value }) => value![0] * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: column(label) })),
      { name: 'Value', type: FieldType.number, values: series.map(({ value }) => Number(value![1])) },
    ],
  });
}
