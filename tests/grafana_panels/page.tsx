// A dashboard as a page: ?dashboard=overview&prometheus=URL, and as in Grafana from, to, theme and var-NAME.
// `window.drawn` is resolved, once all is drawn, with what each panel shows.

import { createTheme, rangeUtil, ThemeContext, type DataFrame, type TimeRange } from '@grafana/data';
import { GlobalStyles, Icon, PanelChrome, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import type { Dashboard, Panel } from './dashboard';
import { cut } from './overflow';
import { prepared, Visualization } from './panels';
import { Prometheus, type Choice } from './prometheus';

const [CELL, GAP, COLUMNS] = [30, 8, 24]; // Grafana's grid, in px
const STILL = 2000; // ms without a change, after which fonts and icons have come and sizes are measured

interface Filled {
  panel: Panel;
  frames: DataFrame[];
  error?: string;
}

interface Shown {
  title: string;
  error: string | undefined;
  empty: boolean;
  cut: string[];
}

declare global {
  interface Window {
    drawn: Promise<Shown[]>;
  }
}

const asked = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: asked.get('theme') === 'light' ? 'light' : 'dark' } });
const width = document.documentElement.clientWidth - 2 * GAP;

function place({ x, y, w, h }: Panel['gridPos']) {
  const column = (width + GAP) / COLUMNS;
  return { left: x * column, top: y * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
}

async function filled(panel: Panel, source: Prometheus, variables: Record<string, string>): Promise<Filled> {
  try {
    const asking = (panel.targets ?? []).map((target) => source.frames(target, variables, Math.floor(place(panel.gridPos).width)));
    const frames = (await Promise.all(asking)).flat();
    return { panel, frames: panel.type === 'row' ? [] : await prepared(panel, frames, theme) };
  } catch (error) {
    return { panel, frames: [], error: String(error) };
  }
}

function Place({ panel, frames, error, range }: Filled & { range: TimeRange }) {
  const { width, height, ...corner } = place(panel.gridPos);
  if (panel.type === 'row') {
    return (
      <h2 style={{ position: 'absolute', ...corner, width, margin: 0, font: `500 16px/${height}px Inter, sans-serif` }}>
        <Icon name="angle-down" /> {panel.title}
      </h2>
    );
  }
  return (
    <div data-panel={panel.id} style={{ position: 'absolute', ...corner, width, height }}>
      <PanelChrome
        title={panel.title} description={panel.description} width={width} height={height} statusMessage={error}
        padding={panel.type === 'table' ? 'none' : 'md'}
      >
        {(width, height) => <Visualization {...{ panel, frames, range, width, height }} />}
      </PanelChrome>
    </div>
  );
}

function Top({ title, choices, range }: { title: string; choices: Choice[]; range: TimeRange }) {
  const box = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '4px 8px' };
  return (
    <header style={{ display: 'flex', gap: 2 * GAP, alignItems: 'center', height: 48 }}>
      <h1 style={{ margin: 0, fontSize: 20 }}>{title}</h1>
      {choices.map(({ label, text }) => <span key={label} style={box}>{label}: <b>{text}</b></span>)}
      <span style={{ ...box, marginLeft: 'auto' }}>{rangeUtil.describeTimeRange(range.raw)}</span>
    </header>
  );
}

function still(): Promise<void> {
  return new Promise((done) => {
    let waiting = setTimeout(done, STILL);
    const again = () => {
      clearTimeout(waiting);
      waiting = setTimeout(done, STILL);
    };
    new MutationObserver(again).observe(document, { subtree: true, childList: true, attributes: true });
  });
}

async function draw(): Promise<Shown[]> {
  const dashboard: Dashboard = await (await fetch(`dashboards/${asked.get('dashboard')}.json`)).json();
  const raw = { from: asked.get('from') ?? dashboard.time.from, to: asked.get('to') ?? dashboard.time.to };
  const range = { ...rangeUtil.convertRawToRange(raw), raw };
  const source = new Prometheus(asked.get('prometheus')!, range, asked.get('scrape_interval') ?? '15s');
  const choices = await Promise.all(dashboard.templating.list.map((variable) => source.choice(variable, asked.get(`var-${variable.name}`))));
  const variables = Object.fromEntries(dashboard.templating.list.map(({ name }, i) => [name, choices[i].value]));
  const all = await Promise.all(dashboard.panels.map((panel) => filled(panel, source, variables)));
  const height = Math.max(...dashboard.panels.map(({ gridPos }) => place(gridPos).top + place(gridPos).height));
  createRoot(document.getElementById('dashboard')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ padding: GAP, background: theme.colors.background.canvas }}>
        <Top title={dashboard.title} choices={choices} range={range} />
        <main style={{ position: 'relative', width, height }}>
          {all.map((each) => <Place key={each.panel.id} {...each} range={range} />)}
        </main>
      </div>
      <PortalContainer />
    </ThemeContext.Provider>
  );
  await still();
  return all.filter(({ panel }) => panel.type !== 'row').map(({ panel, error }) => {
    const element = document.querySelector(`[data-panel="${panel.id}"]`)!;
    return { title: panel.title, error, empty: element.querySelector('[data-empty]') !== null, cut: cut(element) };
  });
}

window.drawn = draw();
