// The parts of a dashboard's JSON that deploy/grafana/build.py writes.

import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface Target {
  expr: string;
  legendFormat: string;
  refId: string;
  instant?: boolean;
  format?: 'table';
}

export interface Panel {
  id: number;
  type: 'row' | 'stat' | 'table' | 'timeseries';
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: FieldConfigSource;
  options: Record<string, any>;
  targets?: Target[];
  transformations?: DataTransformerConfig[];
}

export interface Variable {
  type: 'datasource' | 'query';
  name: string;
  label: string;
  query: string;
  regex: string;
  includeAll: boolean;
  allValue: string | null;
}

export interface Dashboard {
  title: string;
  time: { from: string; to: string };
  templating: { list: Variable[] };
  panels: Panel[];
}
